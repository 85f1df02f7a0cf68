-- Who may write: only a caller that knows this lane's epoch, on a connection to the very server
-- process (`run`) that the lane was opened on. A restored snapshot says `open` with another run.
--@include clock
--@include keys
local lane = redis.call('HMGET', lane_key,
  'state', 'epoch', 'run', 'tail', 'position', 'emitted', 'persisted', 'cap')
local lane_epoch, lane_tail, lane_position = lane[2], lane[4], lane[5]
local emitted_count = tonumber(lane[6] or 0)
local backlog_count = emitted_count - tonumber(lane[7] or 0)
local backlog_max = tonumber(lane[8] or 0)

-- A refusal, or nil when the caller may go on. `late_ms` is the caller's own deadline.
local function gate(epoch, run, late_ms)
  if lane[1] ~= 'open' then return {'closed', now_ms} end
  if lane_epoch ~= epoch or lane[3] ~= run then return {'stale', now_ms} end
  if late_ms and now_ms > tonumber(late_ms) then return {'late', now_ms} end
  return nil
end

-- The same for those who look after the books: a lane that was closed over them is theirs, too.
local function gate_books(epoch, run, late_ms)
  if lane[1] ~= 'open' and lane[1] ~= 'closed' then return {'closed', now_ms} end
  if lane_epoch ~= epoch or lane[3] ~= run then return {'stale', now_ms} end
  if late_ms and now_ms > tonumber(late_ms) then return {'late', now_ms} end
  return nil
end
