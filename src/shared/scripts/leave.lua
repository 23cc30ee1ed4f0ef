-- A replica leaves for good: its share is free at once.
--
-- KEYS  1 the ledger
-- ARGV  1 my name
if redis.call('HDEL', KEYS[1], 'm:' .. ARGV[1]) == 1 then
  local expected = tonumber(redis.call('HGET', KEYS[1], 'expected') or '0')
  redis.call('HSET', KEYS[1], 'expected', math.max(0, expected - 1))
end
return 1
