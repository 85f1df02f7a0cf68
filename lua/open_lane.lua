#!lua
--[[
Opens a lane on this server: a new one, or one that an earlier server process left behind and
whose journal MySQL has confirmed. Only the process that decided on `expected_run` may.

KEYS[1] lane          hash      the lane; all other keys follow from it (include/keys)
ARGV[1] epoch         integer   the epoch to open, or the one the lane must have
ARGV[2] run           string    run_id of this server
ARGV[3] expected_run  string    run of the lane as it was examined; '' when it was absent
ARGV[4] cap           integer   transitions, the largest backlog that still grants holds

Returns, in order of precedence
  {'changed', now_ms}  the lane is no longer as it was examined: nothing written
  {'opened', now_ms}
Emits nothing
]]
--@include gate
local epoch, run, expected_run, cap = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

if (lane[3] or '') ~= expected_run then return {'changed', now_ms} end
if lane[1] and (lane[1] ~= 'open' or lane_epoch ~= epoch) then return {'changed', now_ms} end

redis.call('HSET', lane_key, 'state', 'open', 'epoch', epoch, 'run', run, 'cap', cap)
if not lane[1] then
  redis.call('HSET', lane_key, 'tail', 'start', 'position', '', 'emitted', 0, 'persisted', 0)
end
return {'opened', now_ms}
