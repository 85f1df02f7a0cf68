#!lua flags=allow-oom
--[[
Drops keys that a lane had before its rebuild. A record from before would contradict MySQL.

KEYS[1] lane      hash     the lane; all other keys follow from it (include/keys)
ARGV[1] epoch     integer  of the rebuild
ARGV[2] run       string   run_id of this server
ARGV[3] suffixes  string   JSON, what follows the lane's prefix in each key

Returns, in order of precedence
  {'stale', now_ms}  another rebuild, or none: nothing written
  {'wiped', now_ms}
Emits nothing
]]
--@include rebuilding
local epoch, run = ARGV[1], ARGV[2]

if not is_rebuilding(epoch, run) then return {'stale', now_ms} end
for _, suffix in ipairs(cjson.decode(ARGV[3])) do
  if suffix ~= 'lane' then redis.call('UNLINK', lane_prefix .. suffix) end
end
return {'wiped', now_ms}
