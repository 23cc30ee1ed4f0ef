-- What the CRM has said to one replica and means for all.
--
-- KEYS  1 the ledger
-- ARGV  1 "paused", "blocked" or "resumed"   2 for how long, in microseconds   3 the reason   4 the channel on which the others are woken
if ARGV[1] == 'paused' then
  local until_then = math.max(tonumber(redis.call('HGET', KEYS[1], 'paused') or '0'), now + tonumber(ARGV[2]))
  redis.call('HSET', KEYS[1], 'paused', until_then)
elseif ARGV[1] == 'blocked' then
  redis.call('HSET', KEYS[1], 'open', now + tonumber(ARGV[2]), 'reason', ARGV[3])
  redis.call('HDEL', KEYS[1], 'probe')
else
  redis.call('HDEL', KEYS[1], 'open', 'reason', 'probe')
end
redis.call('PUBLISH', ARGV[4], '')
return 1
