#!lua flags=allow-oom
--[[
Empties a lane's journal and index for a rebuild from MySQL, which has raised the epoch before. From
here on only scripts of this rebuild write to the lane.

KEYS[1] lane   hash     the lane; all other keys follow from it (include/keys)
ARGV[1] epoch  integer  that MySQL has given to this rebuild
ARGV[2] run    string   run_id of this server
ARGV[3] shop   string   identifies the database that the lane is built from

Returns, in order of precedence
  {'changed', now_ms}  the lane has this epoch or a later one: nothing written
  {'started', now_ms}
Emits nothing
]]
--@include gate
local epoch, run, shop = ARGV[1], ARGV[2], ARGV[3]

if tonumber(lane_epoch or 0) >= tonumber(epoch) then return {'changed', now_ms} end
redis.call('DEL', lane_key)
redis.call('HSET', lane_key, 'state', 'rebuilding', 'epoch', epoch, 'run', run, 'shop', shop,
  'tail', 'start', 'position', '', 'emitted', 0, 'persisted', 0)
redis.call('UNLINK', outbox_key, due_key)
return {'started', now_ms}
