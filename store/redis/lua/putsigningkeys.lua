sequence(arg())
local ends, todo = typed('ends:signing', 'zset'), {}
for i = 1, tonumber(arg()) do
	local set, id, till, sealed = arg(), arg(), arg(), arg()
	local key = typed('signing:' .. set, 'hash')
	-- The end of a stored key is never removed or moved to a later time.
	local kept = string.match(redis.call('HGET', key, id) or '', '"ends":"([%d.-]+)"}$')
	if kept and (till == '' or tonumber(till) > tonumber(kept)) then
		till, sealed = kept, string.gsub(sealed, '"ends":"[%d.-]*"}$', '"ends":"' .. kept .. '"}')
	end
	local enter = revoke('7', id, till, '0')

	-- The length tells where the set ends, because both names may hold any character.
	local member = #set .. ':' .. set .. id
	todo[i] = function()
		redis.call('HSET', key, id, sealed)
		if till == '' then redis.call('ZREM', ends, member) else redis.call('ZADD', ends, till, member) end
		enter()
	end
end
for _, f in ipairs(todo) do f() end
return 'ok'
