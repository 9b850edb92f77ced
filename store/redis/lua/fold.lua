-- Adds some of a stream's counts to the sums, unless the stream has counts of a day from
-- a limit on. The first call closes the stream.
local stream, limit, most = arg(), tonumber(arg()), tonumber(arg())
local youngest, streams, ended = typed('youngest', 'zset'), typed('streams', 'hash'), typed('ended', 'hash')
if #stream ~= 32 or not string.match(stream, '^%x+$') then
	error(youngest .. ' has the foreign member ' .. stream, 0)
end
local young = redis.call('ZSCORE', youngest, stream)

-- A stream with young counts may still record, and stays open.
if not young or tonumber(young) >= limit then return 'ok' end
local places = typed('places:' .. stream, 'zset')
local place = redis.call('ZRANGE', places, 0, 0)[1]
local sums, moved, counts, folded, told = {}, {}
if place then
	counts, folded, told = typed('counts:' .. stream .. ':' .. place, 'hash'), typed('folded:' .. place, 'hash'), typed('told:' .. place, 'set')

	steps(folded)
	local some = redis.call('HRANDFIELD', counts, most, 'WITHVALUES')
	for i = 1, #some, 2 do
		local total, what = counted(counts, some[i + 1])

		-- A sum of zero would be of no use in a report.
		if total ~= '0' then
			if not sums[what] then
				local sum = redis.call('HGET', folded, what)
				sums[what] = sum and counted(folded, sum .. ' ' .. what) or '0'
			end
			sums[what] = plus(sums[what], total)
		end
		moved[#moved + 1] = some[i]
	end
end

-- From here on the script writes. A closed stream refuses further counts.
redis.call('HDEL', streams, stream)
redis.call('HSET', ended, stream, 'closed')
if #moved > 0 then
	for what, sum in pairs(sums) do redis.call('HSET', folded, what, sum) end

	-- Reports that read piece by piece notice by this number that counts have moved.
	redis.call('HINCRBY', folded, '', 1)
	redis.call('HDEL', counts, unpack(moved))
end
if place and redis.call('EXISTS', counts) == 0 then
	redis.call('SREM', told, stream)
	redis.call('ZREM', places, place)
end
if redis.call('EXISTS', places) == 1 then return 'more' end
redis.call('ZREM', youngest, stream)
return 'ok'
