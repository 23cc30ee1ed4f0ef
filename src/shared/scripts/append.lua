-- Adds an entry to the mirror's log, if its end is where the writer believes it to be: one who was overtaken writes no more.
--
-- KEYS  1 the log: a stream of "at" (this server's clock, microseconds), "tag", "size" (bytes of all entries so far), "body"
-- ARGV  1 the last entry's id, or ""   2 its tag, or ""   3 the new id   4 its tag   5 its body   6 entries and   7 bytes kept at most
-- Returns 1 if it was added.
local function field(entry, name)
  for i = 1, #entry[2], 2 do
    if entry[2][i] == name then
      return entry[2][i + 1]
    end
  end
  return ''
end

local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local id, tag, size = '', '', 0
if last then
  id, tag, size = last[1], field(last, 'tag'), tonumber(field(last, 'size')) or 0
end
if id ~= ARGV[1] or tag ~= ARGV[2] then
  return 0
end
size = size + #ARGV[5]
redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[6], ARGV[3], 'at', string.format('%.0f', now), 'tag', ARGV[4],
  'size', string.format('%.0f', size), 'body', ARGV[5])
for _ = 1, 16 do
  local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
  if first[1] == ARGV[3] or size - (tonumber(field(first, 'size')) or 0) <= tonumber(ARGV[7]) then
    break
  end
  redis.call('XDEL', KEYS[1], first[1])
end
return 1
