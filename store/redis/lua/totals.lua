-- Totals stay text: they may be larger than what Lua keeps exactly.

local LARGEST = '9223372036854775807'

local function less(a, b) return #a < #b or #a == #b and a < b end

-- plus adds two totals, up to the largest there is.
local function plus(a, b)
	local low = tonumber(string.sub(a, -9)) + tonumber(string.sub(b, -9))
	local high = (tonumber(string.sub(a, 1, -10)) or 0) + (tonumber(string.sub(b, 1, -10)) or 0) + math.floor(low / 1e9)
	local sum = integer(low)
	if high > 0 then sum = integer(high) .. string.format('%09.0f', low % 1e9) end
	if less(LARGEST, sum) then return LARGEST end
	return sum
end

-- counted returns the total of a count, and what it is of.
local function counted(key, text)
	local total, what = string.match(text, '^(%d+) (.+)$')
	if not total or #total > 1 and string.sub(total, 1, 1) == '0' or less(LARGEST, total) then
		error(key .. ' holds ' .. text .. ', not a count', 0)
	end
	return total, what
end

-- steps fails if sums do not say how many times something was added or dropped,
-- nor are new. Who reads counts and sums learns from it whether any moved.
local function steps(folded)
	local n = redis.call('HGET', folded, '')
	if n and (#n > 15 or not string.match(n, '^%d+$')) then error(folded .. ' holds ' .. n .. ', not a number of steps', 0) end
end

