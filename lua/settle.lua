#!lua flags=allow-oom
--[[
Lets a payment event act on an order, at most once for each reference.

KEYS[1] lane         hash      the lane; all other keys follow from it (include/keys)
ARGV[1] epoch        integer   as the caller knows it
ARGV[2] run          string    run_id of the server the caller is connected to
ARGV[3] call         string    names this call in the journal
ARGV[4] late_ms      integer   milliseconds since 1970, the request's own deadline
ARGV[5] id           string    of the reservation
ARGV[6] reference    string    of the payment event; its receipt is in MySQL already
ARGV[7] payment      string    success or failed
ARGV[8] facts        string    the record as MySQL has it, or ''
ARGV[9] facts_epoch  string    the epoch in which that was read, or ''

Returns, in order of precedence
  {'closed', now_ms}              nothing written
  {'stale', now_ms}               nothing written
  {'late', now_ms}                nothing written
  {'missing', now_ms, position}   Redis does not know it; MySQL's word counts from this position on
  {'not_ordered', now_ms}         a hold that is no order
  {'duplicate', now_ms, state}    this reference made the order what it is
  {'ignored', now_ms, state}      a failure of an order that no longer awaits payment
  {'again', now_ms}               a late success, and overdue units are still coming back
  {'refund_due', now_ms, state}   nothing to sell for this payment
  {'applied', now_ms, state}      the order is paid or cancelled now
Emits paid, cancelled or refund_due with the receipt's outcome, or that outcome alone, and expired
for what it reclaimed
]]
--@include transition
local epoch, run, call, late_ms, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local reference, payment, facts, facts_epoch = ARGV[6], ARGV[7], ARGV[8], ARGV[9]

local refused = gate(epoch, run, late_ms)
if refused then return refused end

-- A receipt's outcome travels in the journal, so that it commits with what it did.
local function settled(outcome, record)
  add_to_entry('outcome', {reference, id, outcome, record.state})
  return {outcome, now_ms, record.state}
end

local function units_left(record)
  for _, item in ipairs(parse_items(record.items_text)) do
    if load_product(item.product_id).available < item.qty then return false end
  end
  return true
end

-- A success for an order that gave its units back: all of them again, or a refund. It ignores the
-- buyer limit, but counts.
local function settle_late(record)
  if not units_left(record) then reclaim() end
  if not units_left(record) then
    if overdue_left then return {'again', now_ms} end
    transition(record, 'refund_due', {reference = reference})
    return settled('refund_due', record)
  end
  for _, item in ipairs(parse_items(record.items_text)) do
    local is_limited = load_product(item.product_id).max_per_buyer ~= nil
    record.counted = record.counted or (is_limited and record.buyer ~= '')
  end
  transition(record, 'paid', {reference = reference})
  return settled('applied', record)
end

local function decide(record)
  if not record.ordered then return {'not_ordered', now_ms} end
  if record.reference == reference then return {'duplicate', now_ms, record.state} end
  local is_pending = record.state == 'pending'
  if payment == 'failed' then
    if not is_pending then return settled('ignored', record) end
    transition(record, 'cancelled', {reference = reference})
    return settled('applied', record)
  end
  if is_pending then
    transition(record, 'paid', {reference = reference})
    return settled('applied', record)
  end
  if record.state == 'expired' or record.state == 'cancelled' then return settle_late(record) end
  return settled('refund_due', record)
end

local record = load_record(id, facts, facts_epoch)
local reply = record and decide(record)
commit(call)
return reply or {'missing', now_ms, lane_position}
