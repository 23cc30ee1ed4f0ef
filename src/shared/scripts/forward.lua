-- The counter of epochs, brought forward if it is behind.
--
-- KEYS  1 the epoch   2 the stamp of everything
-- ARGV  1 the epoch that was seen, or 0   2 how long a stamp lives, in milliseconds
-- Returns the epoch.
return counter(KEYS[1], KEYS[2], tonumber(ARGV[1]), ARGV[2])
