-- Keeps a value, if the right to is still held.
--
-- KEYS  1 the lease   2 where
-- ARGV  1 the lease's token   2 the value
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[2], ARGV[2])
return 1
