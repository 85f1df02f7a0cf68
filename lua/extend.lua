#!lua
--[[
Gives a hold more time, once. A repeat gets the same deadline again.

KEYS[1] lane         hash      the lane; all other keys follow from it (include/keys)
ARGV[1] epoch        integer   as the caller knows it
ARGV[2] run          string    run_id of the server the caller is connected to
ARGV[3] call         string    names this call in the journal
ARGV[4] late_ms      integer   milliseconds since 1970, the request's own deadline
ARGV[5] id           string    of the reservation
ARGV[6] facts        string    the record as MySQL has it, or ''
ARGV[7] facts_epoch  string    the epoch in which that was read, or ''

Returns, in order of precedence
  {'closed', now_ms}              nothing written
  {'stale', now_ms}               nothing written
  {'late', now_ms}                nothing written
  {'missing', now_ms, position}   Redis does not know it; MySQL's word counts from this position on
  {'used', now_ms}                the hold became an order before
  {'expired', now_ms}             the hold ran out
  {'released', now_ms}            the hold was given back
  {'not_allowed', now_ms}         holds of one of its products cannot be extended
  {'extended', now_ms, items, amount_minor, currency, deadline_ms}   now, or before
Emits held, and expired for what it reclaimed
]]
--@include transition
local epoch, run, call, late_ms, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local facts, facts_epoch = ARGV[6], ARGV[7]

local refused = gate(epoch, run, late_ms)
if refused then return refused end

-- By how much all of its products let it be extended. Read here alone: `load_product` is for every
-- hold, and does without.
local function extension_ms(items)
  local shortest_ms = math.huge
  for _, item in ipairs(items) do
    local extend_ms = redis.call('HGET', product_key(item.product_id), 'extend_ms')
    shortest_ms = math.min(shortest_ms, tonumber(extend_ms or 0))
  end
  return shortest_ms
end

local function decide(record)
  if record.ordered then return {'used', now_ms} end
  if record.state == 'expired' then return {'expired', now_ms} end
  if record.state == 'released' then return {'released', now_ms} end
  -- A grant makes version 1, and nothing but an extension leads from a hold to a hold.
  if record.version == 1 then
    local more_ms = extension_ms(parse_items(record.items_text))
    if more_ms == 0 then return {'not_allowed', now_ms} end
    transition(record, 'held', {deadline_ms = record.deadline_ms + more_ms})
  end
  return {
    'extended', now_ms, record.items_text, record.amount_minor, record.currency, record.deadline_ms,
  }
end

local record = load_record(id, facts, facts_epoch)
local reply = record and decide(record)
commit(call)
return reply or {'missing', now_ms, lane_position}
