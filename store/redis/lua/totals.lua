-- Totals stay text, because Lua's numbers cannot hold large ones exactly.

local LARGEST = '9223372036854775807'

local function less(a, b) return #a < #b or #a == #b and a < b end

-- plus adds two totals. The result is at most LARGEST.
local function plus(a, b)
	local low = tonumber(string.sub(a, -9)) + tonumber(string.sub(b, -9))
	local high = (tonumber(string.sub(a, 1, -10)) or 0) + (tonumber(string.sub(b, 1, -10)) or 0) + math.floor(low / 1e9)
	local sum = integer(low)
	if high > 0 then sum = integer(high) .. string.format('%09.0f', low % 1e9) end
	if less(LARGEST, sum) then return LARGEST end
	return sum
end

-- counted splits a count into its total and its names.
local function counted(key, text)
	local total, what = string.match(text, '^(%d+) (.+)$')
	if not total or #total > 1 and string.sub(total, 1, 1) == '0' or less(LARGEST, total) then
		error(key .. ' holds ' .. text .. ', not a count', 0)
	end
	return total, what
end

-- steps fails if the sums of a place exist without a valid number of steps. Readers of
-- counts and sums compare this number before and after, to notice moved counts.
local function steps(folded)
	local n = redis.call('HGET', folded, '')
	if n and (#n > 15 or not string.match(n, '^%d+$')) then error(folded .. ' holds ' .. n .. ', not a number of steps', 0) end
end

