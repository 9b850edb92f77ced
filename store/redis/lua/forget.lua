-- Drops some data of the first day of a series, if that day is before another one.
local series, before, most = arg(), arg(), tonumber(arg())
local all, days, keys = typed('series', 'set'), typed('days:' .. series, 'zset'), typed('adjustments', 'hash')
local day = redis.call('ZRANGEBYSCORE', days, '-inf', '(' .. before, 'LIMIT', 0, 1)[1]
if not day then return 'ok' end
local place = day .. ':' .. series
local told, folded, adjusted = typed('told:' .. place, 'set'), typed('folded:' .. place, 'hash'), typed('adjusted:' .. place, 'hash')
steps(folded)
local streams = redis.call('SRANDMEMBER', told, most)
local gone, todo = redis.call('HRANDFIELD', adjusted, most), {}
for i, stream in ipairs(streams) do
	local counts, places = typed('counts:' .. stream .. ':' .. place, 'hash'), typed('places:' .. stream, 'zset')
	todo[i] = function()
		-- UNLINK frees the memory in the background.
		redis.call('UNLINK', counts)
		redis.call('ZREM', places, place)
		redis.call('SREM', told, stream)
	end
end

for _, f in ipairs(todo) do f() end
if #todo > 0 then redis.call('HINCRBY', folded, '', 1) end
if #gone > 0 then
	redis.call('HDEL', keys, unpack(gone))
	redis.call('HDEL', adjusted, unpack(gone))
end

-- Once no counts and no adjustments are left, the sums and the day itself go too.
if redis.call('EXISTS', told, adjusted) == 0 then
	redis.call('UNLINK', folded)
	redis.call('ZREM', days, day)
	if redis.call('EXISTS', days) == 0 then redis.call('SREM', all, series) end
end
return 'more'
