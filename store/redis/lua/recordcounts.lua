-- Records counts. The last counts of a batch come with the state of the stream. Returns
-- the previous sequence number of the stream, or "closed".
local stream, last, young, seq, through, ends = arg(), arg(), arg(), arg(), arg(), arg()
local streams, ended = typed('streams', 'hash'), typed('ended', 'hash')
local youngest, places, all = typed('youngest', 'zset'), typed('places:' .. stream, 'zset'), typed('series', 'set')
local had, complete = '0', ''
local over = redis.call('HGET', ended, stream)
if over == 'closed' then return over end
local told = over or redis.call('HGET', streams, stream)
if told then
	had, complete = string.match(told, '^(%d+) ([%d.-]*)$')
	if not had or complete ~= '' and not tonumber(complete) then
		error((over and ended or streams) .. ' holds ' .. told .. ', not what a stream has told', 0)
	end
end

local spots, best, order = {}, {}, {}
for _ = 1, tonumber(arg()) do
	local series, day, counter, total, what = arg(), arg(), arg(), arg(), arg()
	local place = day .. ':' .. series
	local spot = spots[place]
	if not spot then
		spot = {
			days = typed('days:' .. series, 'zset'), told = typed('told:' .. place, 'set'),
			counts = typed('counts:' .. stream .. ':' .. place, 'hash'), series = series, day = day,
		}
		spots[place] = spot
	end
	local key = spot.counts .. ' ' .. counter

	-- A batch may name a counter twice. The higher total counts.
	if not best[key] then
		local known = redis.call('HGET', spot.counts, counter)
		best[key] = {total = known and counted(spot.counts, known), place = place, counter = counter}
		order[#order + 1] = best[key]
	end

	local b = best[key]
	if not b.total or less(b.total, total) then b.total, b.what = total, what end
end

for _, b in ipairs(order) do
	local spot = spots[b.place]
	if b.what and not spot.known then
		spot.known = true
		redis.call('SADD', all, spot.series)
		redis.call('ZADD', spot.days, spot.day, spot.day)
		redis.call('SADD', spot.told, stream)
		redis.call('ZADD', places, spot.day, b.place)
	end
	if b.what then redis.call('HSET', spot.counts, b.counter, b.total .. ' ' .. b.what) end
end

-- Only the last part of a batch acknowledges, so that a lost part is recorded again.
if last ~= '1' then
	redis.call('ZADD', youngest, 'GT', young, stream)
	return had
end
local latest = redis.call('ZREVRANGE', places, 0, 0, 'WITHSCORES')
if latest[2] then redis.call('ZADD', youngest, latest[2], stream) end
if less(had, seq) then told = seq else told = had end
if through ~= '' and (complete == '' or tonumber(complete) < tonumber(through)) then complete = through end

-- A stream that has ended stays so. A late batch does not make it active again.
if over or ends == '1' then
	redis.call('HSET', ended, stream, told .. ' ' .. complete)
	redis.call('HDEL', streams, stream)
else
	redis.call('HSET', streams, stream, told .. ' ' .. complete)
end
return had
