#!lua flags=allow-oom
--[[
Gives the units of a hold back, or cancels an order that awaits payment.

KEYS[1] lane         hash      the lane; all other keys follow from it (include/keys)
ARGV[1] epoch        integer   as the caller knows it
ARGV[2] run          string    run_id of the server the caller is connected to
ARGV[3] call         string    names this call in the journal
ARGV[4] late_ms      integer   milliseconds since 1970, the request's own deadline
ARGV[5] id           string    of the reservation
ARGV[6] from         string    the state to end: held (then released) or pending (then cancelled)
ARGV[7] facts        string    the record as MySQL has it, or ''
ARGV[8] facts_epoch  string    the epoch in which that was read, or ''

Returns, in order of precedence
  {'closed', now_ms}              nothing written
  {'stale', now_ms}               nothing written
  {'late', now_ms}                nothing written
  {'missing', now_ms, position}   Redis does not know it; MySQL's word counts from this position on
  {'other', now_ms, items, amount_minor, currency, deadline_ms, state, ordered}
      it is in another state; ordered is '1' once it became an order
  {'released', now_ms, items, amount_minor, currency, deadline_ms}
Emits released or cancelled, and expired for what it reclaimed
]]
--@include transition
local epoch, run, call, late_ms, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local from, facts, facts_epoch = ARGV[6], ARGV[7], ARGV[8]

local refused = gate(epoch, run, late_ms)
if refused then return refused end

local function decide(record)
  if record.state ~= from then
    return {
      'other', now_ms, record.items_text, record.amount_minor, record.currency, record.deadline_ms,
      record.state, record.ordered and '1' or '',
    }
  end
  transition(record, from == 'held' and 'released' or 'cancelled')
  return {
    'released', now_ms, record.items_text, record.amount_minor, record.currency, record.deadline_ms,
  }
end

local record = load_record(id, facts, facts_epoch)
local reply = record and decide(record)
commit(call)
return reply or {'missing', now_ms, lane_position}
