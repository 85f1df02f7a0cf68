#!lua flags=allow-oom
--[[
Stops a lane in which something does not add up: nothing is written there until it is opened again.

KEYS[1] lane   hash     the lane; all other keys follow from it (include/keys)
ARGV[1] epoch  integer  of the lane as it was examined
ARGV[2] run    string   of the lane as it was examined

Returns, in order of precedence
  {'changed', now_ms}  the lane is no longer open as it was examined: nothing written
  {'closed', now_ms}
Emits nothing
]]
--@include gate
local epoch, run = ARGV[1], ARGV[2]

if lane[1] ~= 'open' or lane_epoch ~= epoch or lane[3] ~= run then return {'changed', now_ms} end
redis.call('HSET', lane_key, 'state', 'closed')
return {'closed', now_ms}
