-- Every script begins with this file. A script first checks all keys that it will use,
-- and then writes, because Redis undoes nothing when a script fails half-way.
--
-- KEYS[1] names the key of the format. The other keys begin with the same hash
-- tag, so that they are in its slot.

local P = string.match(KEYS[1], '^(.*)format$')
local FORMAT, KEPT = '2', 4096

local at = 0
local function arg()
	at = at + 1
	return ARGV[at]
end

local function integer(n) return string.format('%.0f', n) end

-- number converts a stored number. Times are seconds with a fraction. As floating-point
-- numbers they compare exactly to less than a microsecond.
local function number(key, text)
	return tonumber(text) or error(key .. ' holds ' .. text .. ', not a number', 0)
end

-- typed returns the key of that name, and fails if the key holds another type. It asks
-- the server once for each name.
local types = {}
local function typed(name, want)
	local key, got = P .. name, types[name]
	if not got then
		got = redis.call('TYPE', key).ok
		types[name] = got
	end
	if got ~= 'none' and got ~= want then
		error(key .. ' holds a ' .. got .. ', not a ' .. want, 0)
	end
	return key
end

-- record returns fields of a record, or nothing if the record does not exist. It fails
-- if the record lacks one of the fields.
local function record(name, ...)
	local key = typed(name, 'hash')
	if redis.call('EXISTS', key) == 0 then return end
	local values = redis.call('HMGET', key, ...)
	for i, field in ipairs({...}) do
		if not values[i] then error(key .. ' has no field ' .. field, 0) end
	end
	return unpack(values)
end

-- Changes

-- head is the number of the last change. Nonces are derived from seed. current means
-- that the indexes are complete up to head; every script of this version then keeps
-- them complete. The key "indexed" holds the number and the nonce of the last change up
-- to which that is known. A node of the previous version does not update it.
local head, seed, current

local function nonce() return string.sub(redis.sha1hex(seed .. ':' .. integer(head)), 1, 16) end

local function entered(kind, id, version, till, more)
	local made = nonce()
	redis.call('XADD', P .. 'changes', 'MAXLEN', KEPT, integer(head) .. '-0',
		'kind', kind, 'id', id, 'version', version, 'until', till, 'nonce', made)
	if current and not more then redis.call('SET', P .. 'indexed', integer(head) .. ' ' .. made) end
end

-- field returns a field of an entry, or ''.
local function field(entry, name)
	for i = 1, #entry[2], 2 do
		if entry[2][i] == name then return entry[2][i + 1] end
	end
	return ''
end

-- sequence finds the last change, which append needs. If there is no sequence yet, it
-- begins one with an entry that is not a change. empty means that the namespace then
-- holds no records.
local function sequence(s, empty)
	seed = s
	local key, indexed = typed('changes', 'stream'), typed('indexed', 'string')
	typed('revoked', 'hash')
	typed('versions', 'hash')
	typed('ends:revoked', 'zset')
	local last = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
	if last then
		local n = string.match(last[1], '^(%d+)-0$')
		if not n then error(key .. ' has the foreign entry ' .. last[1], 0) end
		head = tonumber(n)
		current = redis.call('GET', indexed) == n .. ' ' .. field(last, 'nonce')
		return last
	end

	typed('format', 'string')
	head, current = 1, empty
	entered('0', '', '0', '')
	redis.call('SETNX', KEYS[1], FORMAT)
	return redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
end

-- append adds a change. more means that the same script adds further ones.
local function append(kind, id, version, till, more)
	head = head + 1
	entered(kind, id, version, till, more)
end

-- version returns the version of a client or user. It is 1 until it is raised.
local function version(kind, id)
	local v = redis.call('HGET', P .. 'versions', kind .. ':' .. id)
	return v and number(P .. 'versions', v) or 1
end

-- enforce stores a revocation for Snapshot. It never shortens an earlier one.
local function enforce(kind, id, till)
	local field = kind .. ':' .. id
	local old = redis.call('HGET', P .. 'revoked', field)
	if old and (old == '' or till ~= '' and tonumber(till) < tonumber(old)) then till = old end
	redis.call('HSET', P .. 'revoked', field, till)
	if till == '' then
		redis.call('ZREM', P .. 'ends:revoked', field)
	else
		redis.call('ZADD', P .. 'ends:revoked', till, field)
	end
end

-- Records with indexes. The functions that check return a function that writes.

local function dropToken(d)
	local id, family = record('token:' .. d, 'id', 'family')
	if not id then return function() end end
	local ids, members, ends = typed('tokenid:' .. id, 'set'), typed('family:' .. family, 'set'), typed('ends:token', 'zset')
	return function()
		redis.call('DEL', P .. 'token:' .. d)
		redis.call('SREM', ids, d)
		redis.call('SREM', members, d)
		redis.call('ZREM', ends, d)
	end
end

local function dropSession(d)
	local id = record('session:' .. d, 'id')
	if not id then return function() end end
	local ids, ends = typed('sessionid:' .. id, 'set'), typed('ends:session', 'zset')
	return function()
		redis.call('DEL', P .. 'session:' .. d)
		redis.call('SREM', ids, d)
		redis.call('ZREM', ends, d)
	end
end

-- Batches. Few commands write many records. Lua passes at most some thousand arguments
-- to a command.

local BATCH = 1000

local function batched(command, list, ...)
	for from = 1, #list, BATCH do
		local items = {...}
		for i = from, math.min(from + BATCH - 1, #list) do items[#items + 1] = list[i] end
		redis.call(command, unpack(items))
	end
end

-- lists returns a function that adds an item to the list of a key, and all lists.
local function lists()
	local all = {}
	return function(key, item)
		local list = all[key]
		if not list then
			list = {}
			all[key] = list
		end
		list[#list + 1] = item
	end, all
end

-- dropKeys deletes API keys. Their IDs and digests stay as tombstones, so that no
-- key can have them again.
local function dropKeys(ids)
	local tombstones, digestTombstones = typed('tombstones:apikeyid', 'set'), typed('tombstones:apikey', 'set')
	local names, digests, keys, known = typed('names:apikey', 'zset'), {}, {}, {}
	local inSet, sets = lists()
	local inOrder, orders = lists()
	for _, id in ipairs(ids) do
		local byID = typed('apikeyid:' .. id, 'string')
		local d = redis.call('GET', byID)
		if d then
			local key, added = typed('apikey:' .. d, 'hash'), typed('added:apikey:' .. id, 'hash')
			local client, owner = unpack(redis.call('HMGET', key, 'client', 'owner'))

			-- The previous version may have dropped the owner from the record.
			owner = owner or redis.call('HGET', added, 'owner')
			if client then
				inSet(typed('apikeys:' .. client, 'set'), id)
				inOrder(typed('names:apikey:' .. client, 'zset'), id)
			end
			if owner and owner ~= '' then inSet(typed('owned:' .. owner, 'set'), id) end
			known[#known + 1], digests[#digests + 1] = id, d
			for _, k in ipairs({byID, key, added}) do keys[#keys + 1] = k end
		end
	end
	return function()
		batched('SADD', ids, tombstones)
		batched('SADD', digests, digestTombstones)
		batched('DEL', keys)
		batched('ZREM', known, names)
		for set, list in pairs(sets) do batched('SREM', list, set) end
		for order, list in pairs(orders) do batched('ZREM', list, order) end
	end
end

-- each calls drop for each member of a set, and returns a function that calls the results.
local function each(set, drop)
	local todo = {}
	for i, d in ipairs(redis.call('SMEMBERS', typed(set, 'set'))) do todo[i] = drop(d) end
	return function()
		for _, f in ipairs(todo) do f() end
	end
end

-- raise gives a client or user a version that is higher than its own and than floor.
local function raise(kind, id, floor)
	local name = (kind == '5' and 'client:' or 'user:') .. id
	record(name, 'version')
	version(kind, id)
	return function()
		local v = integer(math.max(version(kind, id), tonumber(floor or '0')) + 1)
		redis.call('HSET', P .. 'versions', kind .. ':' .. id, v)
		if redis.call('EXISTS', P .. name) == 1 then redis.call('HSET', P .. name, 'version', v) end
		append(kind, id, v, '')
	end
end

-- revokeKeys revokes the API keys of a set whose field has that value. The set may
-- hold other keys, because a node of the previous version does not keep all sets.
local function revokeKeys(set, name, value)
	local ids, all = {}, redis.call('SMEMBERS', typed(set, 'set'))
	table.sort(all)
	for _, id in ipairs(all) do
		local d = redis.call('GET', typed('apikeyid:' .. id, 'string'))
		local is = d and (redis.call('HGET', typed('apikey:' .. d, 'hash'), name)
			or redis.call('HGET', typed('added:apikey:' .. id, 'hash'), name))
		if is == value then ids[#ids + 1] = id end
	end
	local drop = dropKeys(ids)
	return function()
		drop()
		for i, id in ipairs(ids) do append('4', id, '0', '', i < #ids) end
		redis.call('DEL', P .. set)
	end
end

-- revoke applies a change to the records and adds it to the sequence. The script must
-- have called sequence before.
local function revoke(kind, id, till, floor)
	if kind == '5' then return raise(kind, id, floor) end
	if kind == '6' then
		local up, keys = raise(kind, id, floor), revokeKeys('owned:' .. id, 'owner', id)
		return function()
			up()
			keys()
		end
	end
	local drop = function() end
	if kind == '1' then drop = each('tokenid:' .. id, dropToken) end
	if kind == '2' then drop = each('family:' .. id, dropToken) end
	if kind == '3' then drop = each('sessionid:' .. id, dropSession) end
	if kind == '4' then drop = dropKeys({id}) end
	local enforced = kind ~= '4' and kind ~= '7'
	local old = enforced and redis.call('HGET', P .. 'revoked', kind .. ':' .. id)
	if old and old ~= '' then number(P .. 'revoked', old) end
	return function()
		drop()
		append(kind, id, '0', till)
		if enforced then enforce(kind, id, till) end
	end
end

-- fields reads a list of names and values from the arguments. It begins with its length.
local function fields()
	local all = {}
	for i = 1, tonumber(arg()) do all[i] = arg() end
	return all
end

-- putTokens reads tokens from the arguments, and returns a function that stores them.
local function putTokens()
	local todo = {}
	local ends = typed('ends:token', 'zset')
	for i = 1, tonumber(arg()) do
		local d, till, id, family = arg(), arg(), arg(), arg()
		local all, drop = fields(), dropToken(d)
		local ids, members = typed('tokenid:' .. id, 'set'), typed('family:' .. family, 'set')
		todo[i] = function()
			drop()
			redis.call('HSET', P .. 'token:' .. d, unpack(all))
			redis.call('SADD', ids, d)
			redis.call('SADD', members, d)
			if till ~= '' then redis.call('ZADD', ends, till, d) end
		end
	end
	return function()
		for _, f in ipairs(todo) do f() end
	end
end

