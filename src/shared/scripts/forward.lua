-- The counter of epochs is behind one that was seen: the server was restored from something old. It goes on from the time, which is beyond
-- every epoch that was ever given.
--
-- KEYS  1 the epoch
-- ARGV  1 the epoch that was seen
local epoch = tonumber(redis.call('GET', KEYS[1]) or '0')
if epoch < tonumber(ARGV[1]) then
  epoch = math.max(now, tonumber(ARGV[1])) + 1
  redis.call('SET', KEYS[1], string.format('%.0f', epoch))
end
return epoch
