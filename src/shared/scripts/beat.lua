-- One replica says that it is alive, and books a slot if it wants one and there is one in time. The rules are told in src/crm/gate/fleet.rs.
--
-- KEYS  1 the ledger: free, background, last, born, paused, open, probe (microseconds of this server's clock), reason, expected,
--         run (which start of which server wrote it), and one field for each replica, m:NAME = "joined seen share waiting"
--       2 the epoch of the last change, made if it is not there   3 the stamp of everything
-- ARGV  1 my name, of which the first 16 characters are my seat   2 do nothing after this time   3 "", "live" or "background"   4 of use within   5 live calls wait here: 0 or 1
--       6 rate   7 time between background calls   8 replicas I last heard of   9 share I hold, or -1
--       10 missed after   11 forgotten after   12 window
--       13 the epoch that I have seen, or 0   14 how long a stamp lives, in milliseconds
-- Returns {now, result, time, next in, share, replicas, others waiting, horizon, paused for, open for or -1, reason, epoch}
local me, valid_until, want, within = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local rate, slower, knew, held = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local missed, forgotten, window = tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12])
local epoch = counter(KEYS[2], KEYS[3], tonumber(ARGV[13]), ARGV[14])
if now > valid_until then
  return {now, 'expired', 0, 0, 0, 0, 0, 0, 0, -1, '', epoch}
end

local interval = math.ceil(1000000 / rate)
local ledger, members, known = {}, {}, 0
local flat = redis.call('HGETALL', KEYS[1])
for i = 1, #flat, 2 do
  local name = string.match(flat[i], '^m:(.*)$')
  if not name then
    ledger[flat[i]] = tonumber(flat[i + 1]) or flat[i + 1]
  else
    local joined, seen, share, waiting = string.match(flat[i + 1], '^(%d+) (%d+) (%d+) (%d)$')
    seen = math.min(tonumber(seen), now)
    -- Whoever had my seat before me and is not heard of has died.
    local had_my_seat = name ~= me and string.sub(name, 1, 16) == string.sub(me, 1, 16)
    if now - seen > (had_my_seat and missed or forgotten) then
      redis.call('HDEL', KEYS[1], flat[i])
    else
      members[name] = {name = name, joined = tonumber(joined), seen = seen, share = tonumber(share), waiting = waiting}
      known = known + 1
    end
  end
end

-- Another server, or the same one started anew, may have a ledger from before what was booked last. Who may not ask does without.
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and '@' .. (string.match(info, 'run_id:(%x+)') or '') or ledger.run
local is_restored = ledger.run and ledger.run ~= run
local free, background, born, expected = ledger.free, ledger.background or 0, ledger.born or now, ledger.expected or 0
if is_restored then
  -- Nor does it know what the replicas hold by now. Whoever lives will say it.
  expected = math.max(expected, known)
  for name in pairs(members) do
    redis.call('HDEL', KEYS[1], 'm:' .. name)
  end
  members, known = {}, 0
end
-- A ledger that is new or restored, or a clock that jumped: whatever was booked before is not in it, so nothing is given until that must be
-- past.
if not ledger.last or is_restored or now < ledger.last or now - ledger.last > 5 * missed then
  expected = math.max(expected, knew)
  free = now + math.max(expected, known) * interval + window + missed / 2
  background, born = 0, now
end
-- For a while after that, those whom others remember may still live on their own.
if now - born >= forgotten then
  expected = 0
elseif not members[me] then
  expected = math.max(expected, knew)
end
background = math.min(background, now + 2 * slower)

if not members[me] then
  members[me] = {name = me, joined = now, share = 0}
  known = known + 1
end
local mine = members[me]
mine.seen, mine.waiting = now, ARGV[5]

-- My fair share, as far as the others do not still hold it; those who joined earlier have the larger ones.
local count, rank, others_share, others_waiting, lent = math.max(known, expected), 0, 0, 0, 0
for name, other in pairs(members) do
  if name ~= me then
    others_share = others_share + other.share
    if other.joined < mine.joined or (other.joined == mine.joined and name < me) then
      rank = rank + 1
    end
    if now - other.seen > missed then
      lent = lent + other.share
    elseif other.waiting == '1' then
      others_waiting = others_waiting + 1
    end
  end
end
local share = math.floor(rate / count)
if rank < rate % count then
  share = share + 1
end
share = math.max(0, math.min(share, rate - others_share))
if known < expected then
  -- What those hold who are not here yet is not known; it is not mine in any case.
  share = math.min(share, math.max(0, held))
end
-- What I still believe to hold counts until I have confirmed the lower one.
mine.share = math.max(share, held)

if known < expected then
  lent = lent + math.max(0, rate - others_share - mine.share)
end
local spacing = interval
if lent > 0 then
  spacing = lent < rate and math.ceil(1000000 / (rate - lent)) or 0
end
local horizon = (known + 1) * math.max(interval, spacing)
local slot = math.max(free, now)
-- No longer than anything the CRM asks for, whatever the clock does.
local paused = math.min(math.max(0, (ledger.paused or 0) - now), 600000000)
local open = ledger.open and math.min(math.max(0, ledger.open - now), 600000000) or -1

local result, time = 'none', 0
local function later(after)
  result, time = 'later', math.max(after, 1000)
end
if want ~= '' then
  if spacing == 0 then
    later(missed / 4)
  elseif paused > 0 then
    later(paused)
  elseif open > 0 then
    later(open)
  elseif open == 0 and (ledger.probe or 0) > now then
    later(missed / 2)
  elseif want == 'live' and slot - now > within then
    later(slot - now)
  elseif slot - now > horizon then
    later(slot - now - horizon)
  elseif want == 'background' and others_waiting > 0 then
    later(spacing)
  elseif want == 'background' and slot > now then
    later(slot - now)
  elseif want == 'background' and background > now then
    later(background - now)
  else
    result, time = 'slot', slot - now
    free = slot + spacing
    if want == 'background' then
      background = now + slower
    end
    if open == 0 then
      redis.call('HSET', KEYS[1], 'probe', now + 10 * missed)
    end
  end
end

redis.call('HSET', KEYS[1], 'free', free, 'background', background, 'last', now, 'born', born,
  'expected', expected, 'run', run or '@',
  'm:' .. me, string.format('%.0f %.0f %d %s', mine.joined, now, mine.share, mine.waiting))
return {now, result, math.ceil(time), math.ceil(math.max(0, free - now)), share, math.max(known, expected), others_waiting, horizon,
  math.ceil(paused), math.ceil(open), ledger.reason or '', epoch}
