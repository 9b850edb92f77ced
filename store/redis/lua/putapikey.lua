sequence(arg())
local id, client, d, all = arg(), arg(), arg(), fields()
local same, other = revoke('4', id, ''), function() end
local before = record('apikey:' .. d, 'id')
if before and before ~= id then other = revoke('4', before, '') end
local ids = typed('apikeys:' .. client, 'set')
other()
same()
redis.call('HSET', P .. 'apikey:' .. d, unpack(all))
redis.call('SET', P .. 'apikeyid:' .. id, d)
redis.call('SADD', ids, id)
return 'ok'
