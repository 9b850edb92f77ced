-- Clients, users and API keys. The keys are:
--
--	client:<id>, user:<login>     the records
--	apikey:<digest>               the records of API keys
--	apikeyid:<id>                 digest of an API key
--	apikeys:<client>              IDs of the client's API keys
--	owned:<login>                 IDs of the API keys that the user owns
--	names:client, names:user      IDs and logins in their order
--	names:apikey                  IDs of all API keys in their order
--	names:apikey:<client>         IDs of the client's API keys in their order
--	indexed                       see "current" in common.lua
--	added:user:<login>            fields that the previous version does not know
--	added:apikey:<id>
--	tombstones:apikeyid           IDs of API keys that were revoked or deleted
--	tombstones:apikey             their digests
--	tombstones:secrets:<client>   digests of secrets that a client of that ID had
--
-- The previous version of the program writes only the records, "apikeyid:" and
-- "apikeys:".

-- ADDED holds the fields that the previous version does not know, with the values that a
-- record without them has. That version drops the fields when it writes a record. They
-- are therefore stored a second time in "added:", unless all have these values.
local ADDED = {
	client = {},
	user = {scopes = '[]', limit_scopes = '0'},
	apikey = {name = '', owner = '', addrs = '[]'},
}

local KINDS = {client = '5', user = '6', apikey = '4'}

-- stored returns the fields of a record and its key, or nothing if it does not exist.
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

-- reply returns a record in the form in which scripts return it.
local function reply(name, key, all)
	local flat = {}
	for k, v in pairs(all) do
		flat[#flat + 1] = k
		flat[#flat + 1] = v
	end
	return {name, key, flat}
end

-- keep stores the added fields of a record a second time. The script must have checked
-- the type of that key before.
local function keep(kind, name, all)
	local key, flat, any = P .. 'added:' .. kind .. ':' .. name, {}, false
	for added, none in pairs(ADDED[kind]) do
		flat[#flat + 1] = added
		flat[#flat + 1] = all[added]
		any = any or all[added] ~= none
	end
	if any then redis.call('HSET', key, unpack(flat)) else redis.call('DEL', key) end
end

-- index adds a record to the indexes and completes its fields, or removes it if it is
-- gone. If an API key is gone without a script of this version, a node of the previous
-- version has revoked it.
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

-- catchUp indexes the changes of nodes of the previous version, whose writes are all
-- changes. It returns false if more changes were made than are kept, or if nothing has
-- ever been indexed. All records must then be looked for.
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

-- typedAll checks the types of many keys.
local function typedAll(prefix, names, want)
	for from = 1, #names, BATCH do
		local till, keys = math.min(from + BATCH - 1, #names), {}
		for i = from, till do keys[#keys + 1] = P .. prefix .. names[i] end
		if redis.call('EXISTS', unpack(keys)) > 0 then
			for i = from, till do typed(prefix .. names[i], want) end
		end
	end
end

-- present returns the index of the first key that exists, and fails if it has another type.
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

-- member returns the index of the first name that is in a set.
local function member(set, names)
	local key = typed(set, 'set')
	for from = 1, #names, BATCH do
		local has = redis.call('SMISMEMBER', key, unpack(names, from, math.min(from + BATCH - 1, #names)))
		for i, is in ipairs(has) do
			if is == 1 then return from + i - 1 end
		end
	end
end

-- ordered adds names to a sorted set. All have the same score, so that the set is in the
-- order of the names.
local function ordered(key, names)
	local flat = {}
	for _, name in ipairs(names) do
		flat[#flat + 1] = 0
		flat[#flat + 1] = name
	end
	batched('ZADD', flat, key)
end

-- names decodes a JSON list of names, and returns it as a list and as a set.
local function names(key, text)
	local ok, list = pcall(cjson.decode, text)
	if ok and list == cjson.null then list = {} end
	if not ok or type(list) ~= 'table' then error(key .. ' holds ' .. text .. ', not a list of names', 0) end
	local set = {}
	for _, name in ipairs(list) do set[name] = true end
	return list, set
end

-- clientScopes returns the set of a client's scopes, or nothing without such a client.
local function clientScopes(client)
	local text = record('client:' .. client, 'scopes', 'version')
	if not text then return end
	local _, set = names(P .. 'client:' .. client, text)
	return set
end

-- lacking returns the first scope that is in neither set.
local function lacking(scopes, client, before)
	for _, scope in ipairs(scopes) do
		if not client[scope] and not before[scope] then return scope end
	end
end

-- newKeys reads new API keys from the arguments. If they replace a key, before is the set
-- of its scopes; otherwise their clients must exist. newKeys returns a function that
-- stores the keys, or nil and the error of the first invalid key.
local function newKeys(before)
	local keys, ids, digests, clients = {}, {}, {}, {}
	for i = 1, tonumber(arg()) do
		local k = {
			id = arg(), client = arg(), digest = arg(), scopes = arg(), created = arg(), expires = arg(),
			name = arg(), owner = arg(), addrs = arg(),
		}
		keys[i], ids[i], digests[i] = k, k.id, k.digest

		-- Many keys of one client need only one look at the client.
		if clients[k.client] == nil then clients[k.client] = clientScopes(k.client) or before and {} or false end
		if not clients[k.client] then return nil, {'missing', 'client of API key', k.id} end
		local scope = lacking(names(k.id, k.scopes), clients[k.client], before or {})
		if scope then return nil, {'scope', k.id, scope} end
	end
	local taken = present('apikeyid:', ids, 'string') or present('apikey:', digests, 'hash')
	if taken then return nil, {'exists', 'API key', ids[taken]} end
	local revoked = member('tombstones:apikeyid', ids) or member('tombstones:apikey', digests)
	if revoked then return nil, {'revoked', 'API key', ids[revoked]} end
	local order = typed('names:apikey', 'zset')
	local ofClient, clientsKeys = lists()
	local ofOwner, ownersKeys = lists()
	for _, k in ipairs(keys) do
		ofClient(k.client, k.id)
		if k.owner ~= '' then ofOwner(k.owner, k.id) end
	end

	-- The types of all keys are checked before anything is written.
	for client in pairs(clientsKeys) do
		typed('apikeys:' .. client, 'set')
		typed('names:apikey:' .. client, 'zset')
	end
	for owner in pairs(ownersKeys) do typed('owned:' .. owner, 'set') end
	typedAll('added:apikey:', ids, 'hash')
	return function()
		for _, k in ipairs(keys) do
			redis.call('HSET', P .. 'apikey:' .. k.digest, 'id', k.id, 'client', k.client, 'scopes', k.scopes,
				'created', k.created, 'expires', k.expires, 'name', k.name, 'owner', k.owner, 'addrs', k.addrs)
			redis.call('SET', P .. 'apikeyid:' .. k.id, k.digest)
			keep('apikey', k.id, k)
		end
		ordered(order, ids)
		for client, list in pairs(clientsKeys) do
			batched('SADD', list, P .. 'apikeys:' .. client)
			ordered(P .. 'names:apikey:' .. client, list)
		end
		for owner, list in pairs(ownersKeys) do batched('SADD', list, P .. 'owned:' .. owner) end
	end
end
