-- Returns a page of records after a name, in the order of their names.
sequence(arg())
if not catchUp() then return 'unindexed' end
local kind, client, after, limit = arg(), arg(), arg(), tonumber(arg())
local names = typed('names:' .. kind .. (client == '' and '' or ':' .. client), 'zset')
local found, from = {}, '(' .. after
repeat
	local page = redis.call('ZRANGEBYLEX', names, from, '+', 'LIMIT', 0, limit - #found)
	for _, name in ipairs(page) do
		local all, key = stored(kind, name)

		-- The previous version leaves the names of keys that it deletes or moves.
		if all and (client == '' or all.client == client) then
			found[#found + 1] = reply(name, key, all)
		elseif not all and client == '' then
			index(kind, name)
		else
			redis.call('ZREM', names, name)
		end
		from = '(' .. name
	end
until #page == 0 or #found == limit
return found
