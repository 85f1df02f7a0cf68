#!lua
--[[
Turns a hold into an order that awaits its payment.

KEYS[1] lane                hash      the lane; all other keys follow from it (include/keys)
ARGV[1] epoch               integer   as the caller knows it
ARGV[2] run                 string    run_id of the server the caller is connected to
ARGV[3] call                string    names this call in the journal
ARGV[4] late_ms             integer   milliseconds since 1970, the request's own deadline
ARGV[5] id                  string    of the reservation
ARGV[6] key                 string    Idempotency-Key, or ''
ARGV[7] idempotency_ttl_ms  integer   how long a first effect is remembered
ARGV[8] facts               string    the record as MySQL has it, or ''
ARGV[9] facts_epoch         string    the epoch in which that was read, or ''

Returns, in order of precedence
  {'closed', now_ms}              nothing written
  {'stale', now_ms}               nothing written
  {'late', now_ms}                nothing written
  {'mismatch', now_ms}            the key was used for another hold
  {'repeated', now_ms}            the key made this order before
  {'missing', now_ms, position}   Redis does not know it; MySQL's word counts from this position on
  {'expired', now_ms}             the hold ran out
  {'released', now_ms}            the hold was given back
  {'used', now_ms}                the hold became an order before
  {'ordered', now_ms, pay_by_ms, items, amount_minor, currency}
Emits pending, and expired for what it reclaimed
]]
--@include transition
local epoch, run, call, late_ms, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local key, idempotency_ttl_ms, facts, facts_epoch = ARGV[6], ARGV[7], ARGV[8], ARGV[9]

local refused = gate(epoch, run, late_ms)
if refused then return refused end

local remembered_key = key ~= '' and idempotency_key('order', key)
local first_id = remembered_key and redis.call('GET', remembered_key)
if first_id and first_id ~= id then return {'mismatch', now_ms} end
if first_id then return {'repeated', now_ms} end

local function decide(record)
  if record.ordered then return {'used', now_ms} end
  if record.state == 'expired' then return {'expired', now_ms} end
  if record.state == 'released' then return {'released', now_ms} end
  record.items = parse_items(record.items_text)
  local ttl_ms = math.huge
  for _, item in ipairs(record.items) do
    ttl_ms = math.min(ttl_ms, load_product(item.product_id).pay_ttl_ms)
  end
  transition(record, 'pending', {deadline_ms = now_ms + ttl_ms, key = key})
  if remembered_key then remember(remembered_key, id, idempotency_ttl_ms) end
  return {
    'ordered', now_ms, record.deadline_ms, record.items_text, record.amount_minor, record.currency,
  }
end

local record = load_record(id, facts, facts_epoch)
local reply = record and decide(record)
commit(call)
return reply or {'missing', now_ms, lane_position}
