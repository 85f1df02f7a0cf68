#!lua flags=allow-oom
--[[
Lets a payment event act on an order, at most once for each reference.

KEYS[1] lane           hash      the lane; all other keys follow from it (include/keys)
ARGV[1] epoch          integer   as the caller knows it
ARGV[2] run            string    run_id of the server the caller is connected to
ARGV[3] call           string    names this call in the journal
ARGV[4] late_ms        integer   milliseconds since 1970, the request's own deadline
ARGV[5] id             string    of the reservation
ARGV[6] reference      string    of the payment event; its receipt is in MySQL already
ARGV[7] payment        string    success, failed or refunded
ARGV[8] amount_minor   integer   what was paid or refunded, or '' where the event does not say
ARGV[9] currency       string    of it, or ''
ARGV[10] due           string    reference of the event whose money was due and goes back, or ''
ARGV[11] returns_units string    'true' where the units of a refund are to be sold again
ARGV[12] facts         string    the record as MySQL has it, or ''
ARGV[13] facts_epoch   string    the epoch in which that was read, or ''

Returns, in order of precedence
  {'closed', now_ms}              nothing written
  {'stale', now_ms}               nothing written
  {'late', now_ms}                nothing written
  {'missing', now_ms, position}   Redis does not know it, or not its amount; MySQL's word counts from
      this position on
  {'not_ordered', now_ms}         a hold that is no order
  {'duplicate', now_ms, state}    this reference made the order what it is
  {'amount_mismatch', now_ms, state}   not the order's money; the order is as it was
  {'not_paid', now_ms}            a refund of an order whose payment has not come
  {'ignored', now_ms, state}      a failure of an order that no longer awaits payment, or a second
      refund
  {'again', now_ms}               a late success, and overdue units are still coming back
  {'refund_due', now_ms, state}   nothing to sell for this payment
  {'applied', now_ms, state}      the order is paid, cancelled or refunded now
Emits paid, cancelled, refund_due, refunded or returned with the receipt's outcome, or that outcome
alone, and expired for what it reclaimed
]]
--@include transition
local epoch, run, call, late_ms, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local reference, payment, amount_minor, currency = ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local due, returns_units, facts, facts_epoch = ARGV[10], ARGV[11], ARGV[12], ARGV[13]

local refused = gate(epoch, run, late_ms)
if refused then return refused end

-- A receipt's outcome travels in the journal, so that it commits with what it did.
local function settled(outcome, record)
  add_to_entry('outcome', reference .. '\t' .. id .. '\t' .. outcome .. '\t' .. record.state)
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

-- Who reclaims an overdue order does not learn its amount, which never changes: any word of MySQL's
-- will do. Nil while there is none.
local function is_other_money(record)
  if amount_minor == '' or due ~= '' then return false end
  local known = record
  if record.currency == '' then known = facts ~= '' and parse_record(id, facts) end
  if not known then return nil end
  return known.amount_minor ~= tonumber(amount_minor) or known.currency ~= currency
end

-- Money that was due for want of units, or taken twice, goes back first.
local function refund(record)
  local cause = {key = reference}
  if due ~= '' then
    if record.state == 'refund_due' and record.reference == due then
      transition(record, 'returned', cause)
    end
    return settled('applied', record)
  end
  local is_paid, is_kept = record.state == 'paid', record.state == 'refunded'
  local returns = returns_units == 'true'
  if is_paid or (is_kept and returns) then
    transition(record, returns and 'returned' or 'refunded', cause)
    return settled('applied', record)
  end
  if is_kept or record.state == 'returned' then return settled('ignored', record) end
  return {'not_paid', now_ms}
end

local function pay(record)
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

local function decide(record)
  if not record.ordered then return {'not_ordered', now_ms} end
  if record.reference == reference then return {'duplicate', now_ms, record.state} end
  local is_other = is_other_money(record)
  if is_other == nil then return nil end
  if is_other then return settled('amount_mismatch', record) end
  if payment == 'refunded' then return refund(record) end
  return pay(record)
end

local record = load_record(id, facts, facts_epoch)
local reply = record and decide(record)
commit(call)
return reply or {'missing', now_ms, lane_position}
