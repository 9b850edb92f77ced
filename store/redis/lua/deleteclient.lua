sequence(arg())
local id = arg()
local up, keys = raise('5', id), revokeKeys('apikeys:' .. id, 'client', id)
local key, names = P .. 'client:' .. id, typed('names:client', 'zset')
typed('tombstones:secrets:' .. id, 'set')
-- A client can be deleted whatever its list of secrets holds.
local good, secrets = pcall(secretsOf, key, redis.call('HGET', key, 'secrets') or '[]')
up()
if good then bury(id, secrets) end
redis.call('DEL', key)
redis.call('ZREM', names, id)
keys()
return 'ok'
