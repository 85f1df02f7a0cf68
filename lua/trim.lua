#!lua flags=allow-oom
--[[
Takes note of what MySQL has committed: lowers the backlog, and drops journal entries that are no
longer needed.

KEYS[1] lane       hash      the lane; all other keys follow from it (include/keys)
ARGV[1] epoch      integer   of the committed entry
ARGV[2] persisted  integer   transitions of this epoch up to and with the committed entry
ARGV[3] min_id     string    the oldest entry to keep, or ''

Returns, in order of precedence
  {'stale', now_ms}    another epoch: nothing written
  {'trimmed', now_ms, backlog}
Emits nothing
]]
--@include gate
--@include record
local epoch, persisted, min_id = ARGV[1], tonumber(ARGV[2]), ARGV[3]

if lane_epoch ~= epoch then return {'stale', now_ms} end
-- XTRIM first, as the only write that may fail.
if min_id ~= '' then redis.call('XTRIM', outbox_key, 'MINID', min_id) end
if emitted_count - persisted < backlog_count then
  redis.call('HSET', lane_key, 'persisted', integer(persisted))
  backlog_count = emitted_count - persisted
end
return {'trimmed', now_ms, backlog_count}
