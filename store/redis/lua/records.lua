-- Clients, users and API keys. The keys are:
--
--	client:<id>, user:<login>     the records
--	apikey:<digest>               those of API keys
--	apikeyid:<id>                 digest of an API key
--	apikeys:<client>              IDs of the client's API keys
--	owned:<login>                 IDs of the API keys that the user owns
--	names:client, names:user      IDs and logins in their order
--	names:apikey                  IDs of all API keys in their order
--	names:apikey:<client>         those of a client
--	indexed                       see "current" among the changes
--	added:user:<login>            fields that the previous version does not know
--	added:apikey:<id>
--	tombstones:apikeyid           IDs of API keys that were revoked or deleted
--	tombstones:apikey             their digests
--	tombstones:secrets:<client>   digests of secrets that a client of that ID had
--
-- The previous version of the program writes only the records, "apikeyid:" and
-- "apikeys:".

-- ADDED holds the fields that the previous version does not know, and what a record
-- without them means. That version drops them when it writes a record. So they are
-- kept a second time in "added:", unless they mean nothing.
local ADDED = {
	client = {},
	user = {scopes = '[]', limit_scopes = '0'},
	apikey = {name = '', owner = '', addrs = '[]'},
}

local KINDS = {client = '5', user = '6', apikey = '4'}

-- stored returns the fields of a record and its key, or nothing if there is none.
local function stored(kind, name)
	local key = kind .. ':' .. name
	if kind == 'apikey' then
		local d = redis.call('GET', typed('apikeyid:' .. name, 'string'))
		if not d then return end
		key = 'apikey:' .. d
	end
	local flat, all = redis.call('HGETALL', typed(key, 'hash')), {}
	if #flat == 0 then return end
	for i = 1, #flat, 2 do all[flat[i]] = flat[i + 1] end
	for added, none in pairs(ADDED[kind]) do
		all[added] = all[added] or redis.call('HGET', typed('added:' .. kind .. ':' .. name, 'hash'), added) or none
	end
	return all, P .. key
end

-- reply is what a script returns of a record.
local function reply(name, key, all)
	local flat = {}
	for k, v in pairs(all) do
		flat[#flat + 1] = k
		flat[#flat + 1] = v
	end
	return {name, key, flat}
end

-- keep writes the added fields of a record a second time. The caller has checked
-- the type of that key.
local function keep(kind, name, all)
	local key, flat, any = P .. 'added:' .. kind .. ':' .. name, {}, false
	for added, none in pairs(ADDED[kind]) do
		flat[#flat + 1] = added
		flat[#flat + 1] = all[added]
		any = any or all[added] ~= none
	end
	if any then redis.call('HSET', key, unpack(flat)) else redis.call('DEL', key) end
end

-- index puts a record into the indexes and completes its fields, or takes it out if
-- it is gone. An API key that is gone without a script of this version was revoked
-- by a node of the previous one.
local function index(kind, name)
	local names, added = typed('names:' .. kind, 'zset'), typed('added:' .. kind .. ':' .. name, 'hash')
	local all, key = stored(kind, name)
	if not all then
		if kind == 'apikey' and redis.call('ZSCORE', names, name) then
			redis.call('SADD', typed('tombstones:apikeyid', 'set'), name)
		end
		redis.call('ZREM', names, name)
		redis.call('DEL', added)
		return
	end
	if kind == 'apikey' then
		local client = all.client or error(key .. ' has no field client', 0)
		local ofClient, owned = typed('names:apikey:' .. client, 'zset'), typed('owned:' .. all.owner, 'set')
		redis.call('ZADD', ofClient, 0, name)
		if all.owner ~= '' then redis.call('SADD', owned, name) end
	end
	redis.call('ZADD', names, 0, name)
	for field in pairs(ADDED[kind]) do redis.call('HSETNX', key, field, all[field]) end
end

-- catchUp indexes what nodes of the previous version have changed: each of their
-- writes is a change. It returns false if more changes have been made than are kept,
-- or if nothing has ever been indexed. The records must then be looked for.
local function catchUp()
	if current then return true end
	local n, made = string.match(redis.call('GET', P .. 'indexed') or '', '^(%d+) (%x+)$')
	if not n then return false end
	local entries = redis.call('XRANGE', P .. 'changes', n .. '-0', '+')
	if not entries[1] or entries[1][1] ~= n .. '-0' or field(entries[1], 'nonce') ~= made then return false end
	for i = 2, #entries do
		for kind, of in pairs(KINDS) do
			if field(entries[i], 'kind') == of then index(kind, field(entries[i], 'id')) end
		end
	end
	redis.call('SET', P .. 'indexed', integer(head) .. ' ' .. field(entries[#entries], 'nonce'))
	current = true
	return true
end

-- Batches. Lua passes some thousand arguments to a command at most.

local BATCH = 1000

-- present returns which of some keys exists, and fails if that holds another type.
local function present(prefix, names, want)
	for from = 1, #names, BATCH do
		local till, keys = math.min(from + BATCH - 1, #names), {}
		for i = from, till do keys[#keys + 1] = P .. prefix .. names[i] end
		if redis.call('EXISTS', unpack(keys)) > 0 then
			for i = from, till do
				typed(prefix .. names[i], want)
				if redis.call('EXISTS', P .. prefix .. names[i]) == 1 then return i end
			end
		end
	end
end

-- member returns which of some names a set has.
local function member(set, names)
	local key = typed(set, 'set')
	for from = 1, #names, BATCH do
		local has = redis.call('SMISMEMBER', key, unpack(names, from, math.min(from + BATCH - 1, #names)))
		for i, is in ipairs(has) do
			if is == 1 then return from + i - 1 end
		end
	end
end

-- newKeys takes new API keys from the arguments. It returns a function that stores
-- them, or nothing and what is wrong with one of them.
local function newKeys(clientsMustExist)
	local keys, ids, digests, clients = {}, {}, {}, {}
	for i = 1, tonumber(arg()) do
		local k = {
			id = arg(), client = arg(), digest = arg(), scopes = arg(), created = arg(), expires = arg(),
			name = arg(), owner = arg(), addrs = arg(),
		}
		keys[i], ids[i], digests[i] = k, k.id, k.digest
		if clientsMustExist and clients[k.client] == nil then
			clients[k.client] = record('client:' .. k.client, 'version') or false
		end
		if clients[k.client] == false then return nil, {'missing', 'client of API key', k.id} end
	end
	local taken = present('apikeyid:', ids, 'string') or present('apikey:', digests, 'hash')
	if taken then return nil, {'exists', 'API key', ids[taken]} end
	local revoked = member('tombstones:apikeyid', ids) or member('tombstones:apikey', digests)
	if revoked then return nil, {'revoked', 'API key', ids[revoked]} end
	local names = typed('names:apikey', 'zset')
	for _, k in ipairs(keys) do
		typed('apikeys:' .. k.client, 'set')
		typed('names:apikey:' .. k.client, 'zset')
		typed('owned:' .. k.owner, 'set')
		typed('added:apikey:' .. k.id, 'hash')
	end
	return function()
		for _, k in ipairs(keys) do
			redis.call('HSET', P .. 'apikey:' .. k.digest, 'id', k.id, 'client', k.client, 'scopes', k.scopes,
				'created', k.created, 'expires', k.expires, 'name', k.name, 'owner', k.owner, 'addrs', k.addrs)
			redis.call('SET', P .. 'apikeyid:' .. k.id, k.digest)
			redis.call('SADD', P .. 'apikeys:' .. k.client, k.id)
			redis.call('ZADD', names, 0, k.id)
			redis.call('ZADD', P .. 'names:apikey:' .. k.client, 0, k.id)
			if k.owner ~= '' then redis.call('SADD', P .. 'owned:' .. k.owner, k.id) end
			keep('apikey', k.id, k)
		end
	end
end
