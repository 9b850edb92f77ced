sequence(arg())
local login, disabled, password, all = arg(), arg(), arg(), fields()
local before = record('user:' .. login, 'password', 'version')
local key, v, up = P .. 'user:' .. login, integer(version('6', login)), raise('6', login)
redis.call('DEL', key)
redis.call('HSET', key, 'version', v, unpack(all))
if disabled == '1' or before and before ~= password then up() else append('6', login, v, '') end
return 'ok'
