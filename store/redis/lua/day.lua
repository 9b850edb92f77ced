-- Returns all counts of a place, unless they are too many to read at once.
local place, most = arg(), tonumber(arg())
local folded, streams = typed('folded:' .. place, 'hash'), redis.call('SMEMBERS', typed('told:' .. place, 'set'))
local n, counts, all = redis.call('HLEN', folded), {}, {}
for i, stream in ipairs(streams) do
	counts[i] = typed('counts:' .. stream .. ':' .. place, 'hash')
	n = n + redis.call('HLEN', counts[i])

	-- HLEN is cheap. The server would be busy for long with HGETALL of a large hash.
	if n > most then break end
end
if n > most then return 'large' end
for i, key in ipairs(counts) do all[i] = redis.call('HGETALL', key) end
return {streams, redis.call('HGETALL', folded), all}
