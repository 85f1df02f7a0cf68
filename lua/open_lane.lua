#!lua flags=allow-oom
--[[
Opens a lane on this server: one that was rebuilt, or one whose journal MySQL has confirmed. Only
whoever examined it as it still is may.

KEYS[1] lane            hash     the lane; all other keys follow from it (include/keys)
ARGV[1] epoch           integer  that the lane must have
ARGV[2] run             string   run_id of this server
ARGV[3] expected_state  string   of the lane as it was examined
ARGV[4] expected_run    string   of the lane as it was examined
ARGV[5] expected_tail   string   call of the newest entry as MySQL has it; '' for an open lane
ARGV[6] cap             integer  transitions, the largest backlog that still grants holds

Returns, in order of precedence
  {'changed', now_ms}  the lane is no longer as it was examined: nothing written
  {'opened', now_ms}
Emits nothing
]]
--@include gate
local epoch, run, expected_state, expected_run = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local expected_tail, cap = ARGV[5], ARGV[6]

if lane[1] ~= expected_state or lane_epoch ~= epoch or lane[3] ~= expected_run then
  return {'changed', now_ms}
end
if expected_tail ~= '' and lane_tail ~= expected_tail then return {'changed', now_ms} end
redis.call('HSET', lane_key, 'state', 'open', 'run', run, 'cap', cap)
return {'opened', now_ms}
