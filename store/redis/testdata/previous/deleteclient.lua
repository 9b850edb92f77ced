sequence(arg())
local id = arg()
local up, keys = raise('5', id), each('apikeys:' .. id, function(key) return revoke('4', key, '') end)
up()
redis.call('DEL', P .. 'client:' .. id)
keys()
return 'ok'
