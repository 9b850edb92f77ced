sequence(arg())
local id = arg()
local up, keys = raise('5', id), revokeKeys('apikeys:' .. id, 'client', id)
local key, names = P .. 'client:' .. id, typed('names:client', 'zset')
typed('tombstones:secrets:' .. id, 'set')
-- A client can be deleted even if its list of secrets is damaged.
local good, secrets = pcall(secretsOf, key, redis.call('HGET', key, 'secrets') or '[]')
up()
if good then bury(id, secrets) end
redis.call('DEL', key)
redis.call('ZREM', names, id)
keys()
return 'ok'
