#!lua
--[[
Gives a lane under rebuild a part of what MySQL knows of it.

KEYS[1] lane          hash     the lane; all other keys follow from it (include/keys)
ARGV[1] epoch         integer  of the rebuild
ARGV[2] run           string   run_id of this server
ARGV[3] products      string   JSON, [product_id, fields] each; fields is [field, value, ...]
ARGV[4] reservations  string   JSON, [id, record] each, held or pending
ARGV[5] buyers        string   JSON, [product_id, buyer, units] each
ARGV[6] keys          string   JSON, [operation, key, value, ttl_ms] each; adj for an adjustment

Returns, in order of precedence
  {'stale', now_ms}  another rebuild, or none: nothing written
  {'loaded', now_ms}
Emits nothing
]]
--@include rebuilding
--@include record
local epoch, run = ARGV[1], ARGV[2]
local products, reservations = cjson.decode(ARGV[3]), cjson.decode(ARGV[4])
local buyers, keys = cjson.decode(ARGV[5]), cjson.decode(ARGV[6])

if not is_rebuilding(epoch, run) then return {'stale', now_ms} end
for _, product in ipairs(products) do
  redis.call('HSET', product_key(product[1]), unpack(product[2]))
end
for _, reservation in ipairs(reservations) do
  local id, text = reservation[1], reservation[2]
  local record = parse_record(id, text)
  -- Overdue ones have no record any more; the index gives their units back.
  if record.deadline_ms > now_ms then
    redis.call('SET', reservation_key(id), text, 'PXAT', integer(record.deadline_ms))
  end
  redis.call('ZADD', due_key, integer(record.deadline_ms), due_member(record))
end
for _, count in ipairs(buyers) do
  redis.call('HSET', buyers_key(count[1]), count[2], count[3])
end
for _, first in ipairs(keys) do
  local key = first[1] == 'adj' and adjustment_key(first[2]) or idempotency_key(first[1], first[2])
  redis.call('SET', key, first[3], 'PX', first[4])
end
return {'loaded', now_ms}
