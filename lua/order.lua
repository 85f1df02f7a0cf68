#!lua
--[[
Turns a hold into an order that awaits its payment.

KEYS[1] lane                hash      the lane; all other keys follow from it (include/keys)
ARGV[1] epoch               integer   as the caller knows it
ARGV[2] run                 string    run_id of the server the caller is connected to
ARGV[3] call                string    names this call in the journal
ARGV[4] idempotency_ttl_ms  integer   how long a first effect is remembered
ARGV[5] requests            string    JSON, [late_ms, id, key, facts, facts_epoch] each:
  late_ms      integer   milliseconds since 1970, this request's own deadline
  id           string    of the reservation
  key          string    Idempotency-Key, or ''
  facts        string    the record as MySQL has it, or ''
  facts_epoch  string    the epoch in which that was read, or ''

Returns, in order of precedence
  {'closed', now_ms}              nothing written
  {'stale', now_ms}               nothing written
  {'batch', now_ms, replies}      JSON, one reply for each request, in the order of the requests;
                                  numbers are text there, since cjson rounds them to 14 digits:
  {'late'}                        nothing written
  {'mismatch'}                    the key was used for another hold
  {'repeated'}                    the key made this order before
  {'missing', position}           Redis does not know it; MySQL's word counts from this position on
  {'expired'}                     the hold ran out
  {'released'}                    the hold was given back
  {'used'}                        the hold became an order before
  {'ordered', pay_by_ms, items, amount_minor, currency}
Emits pending, and expired for what it reclaimed
]]
--@include transition
local epoch, run, call, idempotency_ttl_ms = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local refused = gate(epoch, run)
if refused then return refused end

local function make_order(record, key)
  if record.ordered then return {'used'} end
  if record.state == 'expired' then return {'expired'} end
  if record.state == 'released' then return {'released'} end
  record.items = parse_items(record.items_text)
  local ttl_ms = math.huge
  for _, item in ipairs(record.items) do
    ttl_ms = math.min(ttl_ms, load_product(item.product_id).pay_ttl_ms)
  end
  transition(record, 'pending', {deadline_ms = now_ms + ttl_ms, key = key})
  if key ~= '' then remember(idempotency_key('order', key), record.id, idempotency_ttl_ms) end
  return {
    'ordered', integer(record.deadline_ms), record.items_text, integer(record.amount_minor),
    record.currency,
  }
end

-- Nil where Redis does not know the reservation.
local function decide(late_ms, id, key, facts, facts_epoch)
  if now_ms > tonumber(late_ms) then return {'late'} end
  local first_id = key ~= '' and first_effect(idempotency_key('order', key))
  if first_id and first_id ~= id then return {'mismatch'} end
  if first_id then return {'repeated'} end
  local record = load_record(id, facts, facts_epoch)
  return record and make_order(record, key)
end

local replies = {}
for index, request in ipairs(cjson.decode(ARGV[5])) do
  replies[index] = decide(unpack(request)) or false
end
commit(call)
-- The position of what was emitted just now: it counts, too.
for index, reply in ipairs(replies) do
  if not reply then replies[index] = {'missing', lane_position} end
end
return {'batch', now_ms, cjson.encode(replies)}
