-- Something is no longer true: the next epoch is its, its stamps are set to it, and everybody is told.
--
-- KEYS  1 the epoch   2… stamps
-- ARGV  1 how long a stamp lives, in milliseconds   2 the channel   3 what to tell
-- Returns the epoch.
redis.call('SET', KEYS[1], string.format('%.0f', now), 'NX')
local epoch = redis.call('INCR', KEYS[1])
for i = 2, #KEYS do
  redis.call('SET', KEYS[i], epoch, 'PX', ARGV[1])
end
redis.call('PUBLISH', ARGV[2], string.format('%.0f ', epoch) .. ARGV[3])
return epoch
