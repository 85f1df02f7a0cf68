#!lua flags=allow-oom
--[[
Gives the units of overdue reservations back, at most 200 a call.

KEYS[1] lane   hash      the lane; all other keys follow from it (include/keys)
ARGV[1] epoch  integer   as the caller knows it
ARGV[2] run    string    run_id of the server the caller is connected to
ARGV[3] call   string    names this call in the journal

Returns, in order of precedence
  {'closed', now_ms}               nothing written
  {'stale', now_ms}                nothing written
  {'expired', now_ms, count, more} more is 1 when overdue reservations are left
Emits expired
]]
--@include transition
local epoch, run, call = ARGV[1], ARGV[2], ARGV[3]

local refused = gate(epoch, run)
if refused then return refused end

reclaim()
commit(call)
return {'expired', now_ms, reclaimed_count, overdue_left and 1 or 0}
