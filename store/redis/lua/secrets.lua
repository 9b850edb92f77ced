-- A client's secrets are a JSON list. The field "used:" followed by the ID of a secret
-- holds the time of its last use.

local function secretsOf(key, text)
	local ok, list = pcall(cjson.decode, text)
	local good = ok and type(list) == 'table'
	for _, s in ipairs(good and list or {}) do
		good = good and type(s) == 'table' and type(s.digest) == 'string' and type(s.expires) == 'string'
	end
	if not good then error(key .. ' holds no list of secrets', 0) end
	return list
end

-- bury keeps the digests of secrets, so that no client of that ID can have them again.
local function bury(id, secrets)
	for _, s in ipairs(secrets) do redis.call('SADD', P .. 'tombstones:secrets:' .. id, s.digest) end
end

-- changeSecrets keeps some of a client's secrets and drops the others.
local function changeSecrets(id, key, kept, dropped)
	typed('tombstones:secrets:' .. id, 'set')
	local v = integer(version('5', id))
	redis.call('HSET', key, 'secrets', #kept > 0 and cjson.encode(kept) or '[]')
	for _, s in ipairs(dropped) do
		if s.id then redis.call('HDEL', key, 'used:' .. s.id) end
	end
	bury(id, dropped)
	append('5', id, v, '')
end
