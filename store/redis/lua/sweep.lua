-- Drops some records that ended before a time, and returns their number.
local kind, before, most = arg(), arg(), arg()
local ends, todo = typed('ends:' .. kind, 'zset'), {}

local function drop(member)
	if kind == 'token' then return dropToken(member) end
	if kind == 'session' then return dropSession(member) end
	local key, field = typed('revoked', 'hash'), member
	if kind == 'signing' then
		local n, rest = string.match(member, '^(%d+):(.*)$')
		if not n then error(ends .. ' has the foreign member ' .. member, 0) end
		key, field = typed('signing:' .. string.sub(rest, 1, n), 'hash'), string.sub(rest, n + 1)
	end
	return function() redis.call('HDEL', key, field) end
end

local members = redis.call('ZRANGEBYSCORE', ends, '-inf', '(' .. before, 'LIMIT', 0, most)
for i, member in ipairs(members) do todo[i] = drop(member) end
for i, member in ipairs(members) do
	todo[i]()
	redis.call('ZREM', ends, member)
end
return #members
