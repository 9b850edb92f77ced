sequence(arg())
local ends, todo = typed('ends:signing', 'zset'), {}
for i = 1, tonumber(arg()) do
	local set, id, till, sealed = arg(), arg(), arg(), arg()
	local key, enter = typed('signing:' .. set, 'hash'), revoke('7', id, till)
	local member = #set .. ':' .. set .. id
	todo[i] = function()
		redis.call('HSET', key, id, sealed)
		if till == '' then redis.call('ZREM', ends, member) else redis.call('ZADD', ends, till, member) end
		enter()
	end
end
for _, f in ipairs(todo) do f() end
return 'ok'
