-- KEYS  1 a lease   ARGV  1 its token   2 how long it is to live, in milliseconds
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
