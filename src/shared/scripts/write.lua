-- Writes an entry if its lease is still held and nothing fetched later is there. The lease ends with it.
--
-- KEYS  1 the lease   2 the entry
-- ARGV  1 the token   2 the entry   3 how long it lives, in milliseconds
-- An entry begins with its version and the time of its fetch in thirteen digits.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[1])
local old = redis.call('GET', KEYS[2])
local fetched = old and tonumber(string.sub(old, 2, 14))
if fetched and fetched > tonumber(string.sub(ARGV[2], 2, 14)) then
  return 0
end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return 1
