-- Something is no longer true: the next epoch is its, its stamps are set to it, and everybody is told.
--
-- KEYS  1 the epoch   2 the stamp of everything   3… stamps
-- ARGV  1 how long a stamp lives, in milliseconds   2 the channel   3 what to tell   4 the epoch that was seen, or 0
-- Returns the epoch.
counter(KEYS[1], KEYS[2], tonumber(ARGV[4]), ARGV[1])
local epoch = redis.call('INCR', KEYS[1])
for i = 3, #KEYS do
  redis.call('SET', KEYS[i], epoch, 'PX', ARGV[1])
end
redis.call('PUBLISH', ARGV[2], string.format('%.0f ', epoch) .. ARGV[3])
return epoch
