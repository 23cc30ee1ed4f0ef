-- Put in front of the scripts that look at the counter of epochs.
--
-- A counter that is behind an epoch that was seen is that of a server which was restored from something old, or of a standby that took over
-- without the last writes. Entries that are over may lie there with stamps that do not know it, so everything that is written down is
-- over; and the counter goes on from the time, which is beyond every epoch that was ever given.
local function counter(key, stamp_of_all, seen, life)
  local epoch = tonumber(redis.call('GET', key) or '0')
  local is_behind = epoch < seen
  if is_behind or epoch == 0 then
    epoch = math.max(now, seen + 1)
    redis.call('SET', key, string.format('%.0f', epoch))
  end
  if is_behind then
    redis.call('SET', stamp_of_all, string.format('%.0f', epoch), 'PX', life)
  end
  return epoch
end
