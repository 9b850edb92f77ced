-- The arguments after the ID are the secrets and the other fields.
sequence(arg())
catchUp()
local id, secrets, all = arg(), arg(), fields()
local key, names, tombstones = P .. 'client:' .. id, typed('names:client', 'zset'), typed('tombstones:secrets:' .. id, 'set')
if record('client:' .. id, 'version') then return {'exists', 'client', id} end
for _, s in ipairs(secretsOf(key, secrets)) do
	if redis.call('SISMEMBER', tombstones, s.digest) == 1 then return {'revoked', 'secret', s.id} end
end

-- A reused ID continues with its version, so that old tokens stay revoked.
redis.call('HSET', key, 'version', integer(version('5', id)), 'secrets', secrets, unpack(all))
redis.call('ZADD', names, 0, id)
return 'ok'
