-- The right to fill, and what is there at the moment it is given.
--
-- KEYS  1 the lease   2 the entry
-- ARGV  1 the token   2 how long it lives, in milliseconds
-- Returns {1 or 0, the entry or false}
local is_ours = redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])
return {is_ours and 1 or 0, redis.call('GET', KEYS[2])}
