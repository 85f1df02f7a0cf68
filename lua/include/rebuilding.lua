-- Who may build a lane anew: only the rebuild that began this epoch, on the server process that it
-- began on. A rebuilder that was paused must not touch what another has built since, nor go on after
-- a restart that may have lost its first steps.
--@include gate
local function is_rebuilding(epoch, run)
  return lane[1] == 'rebuilding' and lane_epoch == epoch and lane[3] == run
end
