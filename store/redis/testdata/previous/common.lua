-- Every script begins with this. A script first checks all that it will touch,
-- and then writes: Redis undoes nothing when a script fails half-way.
--
-- KEYS[1] names the key of the format. The other keys begin with the same hash
-- tag, so that they are in its slot.

local P = string.match(KEYS[1], '^(.*)format$')
local FORMAT, KEPT = '1', 4096

local at = 0
local function arg()
	at = at + 1
	return ARGV[at]
end

local function integer(n) return string.format('%.0f', n) end

-- number reads what was kept. Times are seconds with a fraction; as floating-point
-- numbers they compare exactly to less than a microsecond.
local function number(key, text)
	return tonumber(text) or error(key .. ' holds ' .. text .. ', not a number', 0)
end

-- typed returns the key of that name, and fails if it holds another type.
local function typed(name, want)
	local key = P .. name
	local got = redis.call('TYPE', key).ok
	if got ~= 'none' and got ~= want then
		error(key .. ' holds a ' .. got .. ', not a ' .. want, 0)
	end
	return key
end

-- record returns fields of a record, nothing if there is none, and fails if it
-- lacks one of them.
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

local head, seed -- the number of the last change, and what nonces are made of

local function nonce() return string.sub(redis.sha1hex(seed .. ':' .. integer(head)), 1, 16) end

local function entered(kind, id, version, till, ...)
	redis.call('XADD', P .. 'changes', 'MAXLEN', KEPT, integer(head) .. '-0',
		'kind', kind, 'id', id, 'version', version, 'until', till, 'nonce', nonce())
end

-- sequence finds the last change, which append needs. A sequence that is not
-- there begins, with an entry that is no change.
local function sequence(s)
	seed = s
	local key = typed('changes', 'stream')
	typed('revoked', 'hash')
	typed('versions', 'hash')
	typed('ends:revoked', 'zset')
	local last = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
	if last then
		local n = string.match(last[1], '^(%d+)-0$')
		if not n then error(key .. ' has the foreign entry ' .. last[1], 0) end
		head = tonumber(n)
		return last
	end
	typed('format', 'string')
	head = 1
	entered('0', '', '0', '')
	redis.call('SETNX', KEYS[1], FORMAT)
	return redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
end

local function append(kind, id, version, till)
	head = head + 1
	entered(kind, id, version, till)
end

-- version returns a client's or user's version: 1 until it is raised.
local function version(kind, id)
	local v = redis.call('HGET', P .. 'versions', kind .. ':' .. id)
	return v and number(P .. 'versions', v) or 1
end

-- enforce keeps a revocation for Snapshot, no shorter than one before.
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

-- Records with indexes. Those that check return the function that writes.

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

local function dropKey(id)
	local byID = typed('apikeyid:' .. id, 'string')
	local d = redis.call('GET', byID)
	if not d then return function() end end
	local client = record('apikey:' .. d, 'client')
	local ids = client and typed('apikeys:' .. client, 'set')
	return function()
		redis.call('DEL', byID, P .. 'apikey:' .. d)
		if ids then redis.call('SREM', ids, id) end
	end
end

-- each returns a function that calls what drop returns for each member of a set.
local function each(set, drop)
	local todo = {}
	for i, d in ipairs(redis.call('SMEMBERS', typed(set, 'set'))) do todo[i] = drop(d) end
	return function()
		for _, f in ipairs(todo) do f() end
	end
end

-- raise gives a client or user a version higher than before, and than floor.
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

-- revoke applies a change to the records and enters it. The caller has called
-- sequence.
local function revoke(kind, id, till, floor)
	if kind == '5' or kind == '6' then return raise(kind, id, floor) end
	local drop = function() end
	if kind == '1' then drop = each('tokenid:' .. id, dropToken) end
	if kind == '2' then drop = each('family:' .. id, dropToken) end
	if kind == '3' then drop = each('sessionid:' .. id, dropSession) end
	if kind == '4' then drop = dropKey(id) end
	local old = redis.call('HGET', P .. 'revoked', kind .. ':' .. id)
	if old and old ~= '' then number(P .. 'revoked', old) end
	return function()
		drop()
		append(kind, id, '0', till)
		if kind ~= '4' and kind ~= '7' then enforce(kind, id, till) end
	end
end

-- fields takes names and values from the arguments, as many as they say.
local function fields()
	local all = {}
	for i = 1, tonumber(arg()) do all[i] = arg() end
	return all
end

-- putKey takes an API key from the arguments. When a key with its ID was used last
-- it keeps.
local function putKey()
	local id, client, d, all = arg(), arg(), arg(), fields()
	local same, other = revoke('4', id, ''), function() end
	local before = record('apikey:' .. d, 'id')
	if before and before ~= id then other = revoke('4', before, '') end
	local ids, old = typed('apikeys:' .. client, 'set'), redis.call('GET', P .. 'apikeyid:' .. id)
	local used = old and redis.call('HGET', P .. 'apikey:' .. old, 'used')
	return function()
		other()
		same()
		redis.call('HSET', P .. 'apikey:' .. d, unpack(all))
		if used then redis.call('HSET', P .. 'apikey:' .. d, 'used', used) end
		redis.call('SET', P .. 'apikeyid:' .. id, d)
		redis.call('SADD', ids, id)
	end
end

-- A client's secrets are a list in JSON; when one was used last is the field
-- "used:" and its ID.

local function secretsOf(key, text)
	local ok, list = pcall(cjson.decode, text)
	if not ok or type(list) ~= 'table' then error(key .. ' holds no list of secrets', 0) end
	return list
end

-- changeSecrets keeps some of a client's secrets, and adds more.
local function changeSecrets(id, key, list, kept)
	local v, ids, gone = integer(version('5', id)), {}, {}
	for _, s in ipairs(kept) do
		if s.id then ids[s.id] = true end
	end
	for _, s in ipairs(list) do
		if s.id and not ids[s.id] then gone[#gone + 1] = s.id end
	end
	redis.call('HSET', key, 'secrets', #kept > 0 and cjson.encode(kept) or '[]')
	for _, s in ipairs(gone) do redis.call('HDEL', key, 'used:' .. s) end
	append('5', id, v, '')
end

-- putTokens takes tokens from the arguments.
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

-- Totals stay text: they may be larger than what Lua keeps exactly.

local LARGEST = '9223372036854775807'

local function less(a, b) return #a < #b or #a == #b and a < b end

-- plus adds two totals, up to the largest there is.
local function plus(a, b)
	local low = tonumber(string.sub(a, -9)) + tonumber(string.sub(b, -9))
	local high = (tonumber(string.sub(a, 1, -10)) or 0) + (tonumber(string.sub(b, 1, -10)) or 0) + math.floor(low / 1e9)
	local sum = integer(low)
	if high > 0 then sum = integer(high) .. string.format('%09.0f', low % 1e9) end
	if less(LARGEST, sum) then return LARGEST end
	return sum
end

-- counted returns the total of a count, and what it is of.
local function counted(key, text)
	local total, what = string.match(text, '^(%d+) (.+)$')
	if not total or #total > 1 and string.sub(total, 1, 1) == '0' or less(LARGEST, total) then
		error(key .. ' holds ' .. text .. ', not a count', 0)
	end
	return total, what
end

-- steps fails if sums do not say how many times something was added or dropped,
-- nor are new. Who reads counts and sums learns from it whether any moved.
local function steps(folded)
	local n = redis.call('HGET', folded, '')
	if n and (#n > 15 or not string.match(n, '^%d+$')) then error(folded .. ' holds ' .. n .. ', not a number of steps', 0) end
end

