-- Where the mirror's log ends, without the bytes of its last entry.
--
-- KEYS  1 the log
-- Returns {id, tag} or nothing.
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if not last then
  return {}
end
for i = 1, #last[2], 2 do
  if last[2][i] == 'tag' then
    return {last[1], last[2][i + 1]}
  end
end
return {last[1], ''}
