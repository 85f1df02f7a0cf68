#!lua flags=allow-oom
--[[
Makes what Redis has beside its counters what MySQL says: records, members of the index, counts of
buyers, products that are gone. Each thing only while it still is as it was seen.

KEYS[1] lane     hash      the lane; all other keys follow from it (include/keys)
ARGV[1] epoch    integer   as the caller knows it
ARGV[2] run      string    run_id of the server the caller is connected to
ARGV[3] late_ms  integer   milliseconds since 1970: what was seen long before proves nothing
ARGV[4] repairs  string    JSON, one of these each; '' for what is not there:
  ['reservation', id, seen, record, remove, add, deadline_ms]
      seen         string    the record as it was seen
      record       string    as it must be
      remove       string    a member of the index that must go
      add          string    a member that must be there, due at deadline_ms
  ['buyer', product_id, buyer, seen, units]
  ['product', product_id, fields]   [field, value, ...], for a product that is not there

Returns, in order of precedence
  {'closed', now_ms}   a lane that is absent or being rebuilt: nothing written
  {'stale', now_ms}    nothing written
  {'late', now_ms}     nothing written
  {'repaired', now_ms, done, ...}   for each repair 1, or 0 where it was no longer as it was seen
Emits nothing
]]
--@include gate
local epoch, run, late_ms = ARGV[1], ARGV[2], ARGV[3]

local refused = gate_books(epoch, run, late_ms)
if refused then return refused end

local function repair_reservation(id, seen, record, remove, add, deadline_ms)
  local key = reservation_key(id)
  if (redis.call('GET', key) or '') ~= seen then return 0 end
  if remove ~= '' then redis.call('ZREM', due_key, remove) end
  if add ~= '' then redis.call('ZADD', due_key, deadline_ms, add) end
  if record == seen then return 1 end
  if record == '' then
    redis.call('DEL', key)
  elseif tonumber(deadline_ms) > now_ms then
    redis.call('SET', key, record, 'PXAT', deadline_ms)
  end
  return 1
end

local function repair_buyer(product_id, buyer, seen, units)
  local key = buyers_key(product_id)
  if (redis.call('HGET', key, buyer) or '') ~= seen then return 0 end
  if units == '' then redis.call('HDEL', key, buyer) else redis.call('HSET', key, buyer, units) end
  return 1
end

local function repair_product(product_id, fields)
  if redis.call('HEXISTS', product_key(product_id), 'total') == 1 then return 0 end
  redis.call('HSET', product_key(product_id), unpack(fields))
  return 1
end

local KINDS = {reservation = repair_reservation, buyer = repair_buyer, product = repair_product}
local reply = {'repaired', now_ms}
for _, repair in ipairs(cjson.decode(ARGV[4])) do
  reply[#reply + 1] = KINDS[repair[1]](unpack(repair, 2))
end
return reply
