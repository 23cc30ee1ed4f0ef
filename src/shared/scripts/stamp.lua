-- Stamps that an entry will need: those that are missing are set to the present epoch, all live on.
--
-- KEYS  1 the epoch   2… stamps
-- ARGV  1 how long a stamp lives, in milliseconds
-- Returns the stamps.
redis.call('SET', KEYS[1], string.format('%.0f', now), 'NX')
local epoch, stamps = redis.call('GET', KEYS[1]), {}
for i = 2, #KEYS do
  local stamp = redis.call('GET', KEYS[i])
  if stamp then
    redis.call('PEXPIRE', KEYS[i], ARGV[1])
  else
    stamp = epoch
    redis.call('SET', KEYS[i], epoch, 'PX', ARGV[1])
  end
  stamps[i - 1] = stamp
end
return stamps
