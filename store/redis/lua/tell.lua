-- Numbers stay text: they may be larger than what Lua keeps exactly.
local function less(a, b) return #a < #b or #a == #b and a < b end

local stream, last, seq, through = arg(), arg(), arg(), arg()
local streams = typed('streams', 'hash')
local had, complete = '0', ''
local told = redis.call('HGET', streams, stream)
if told then
	had, complete = string.match(told, '^(%d+) ([%d.-]*)$')
	if not had then error(streams .. ' holds ' .. told .. ', not what a stream has told', 0) end
end

local best, order = {}, {}
for _ = 1, tonumber(arg()) do
	local series, day, counter, total, what = arg(), arg(), arg(), arg(), arg()
	local days, counts = typed('days:' .. series, 'zset'), typed('counts:' .. day .. ':' .. series, 'hash')
	local place = counts .. ' ' .. counter
	if not best[place] then
		local known = redis.call('HGET', counts, counter)
		if known then
			known = string.match(known, '^(%d+) ') or error(counts .. ' holds ' .. known .. ', not a count', 0)
		end
		best[place] = {total = known, days = days, day = day, counts = counts, counter = counter}
		order[#order + 1] = best[place]
	end
	local b = best[place]
	if not b.total or less(b.total, total) then b.total, b.what = total, what end
end

for _, b in ipairs(order) do
	if b.what then
		redis.call('ZADD', b.days, b.day, b.day)
		redis.call('HSET', b.counts, b.counter, b.total .. ' ' .. b.what)
	end
end
if last == '1' then
	if less(had, seq) then told = seq else told = had end
	if through ~= '' and (complete == '' or tonumber(complete) < tonumber(through)) then complete = through end
	redis.call('HSET', streams, stream, told .. ' ' .. complete)
end
return had
