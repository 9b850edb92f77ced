sequence(arg())
local id, disabled, all = arg(), arg(), fields()
record('client:' .. id, 'version')
local key, v, up = P .. 'client:' .. id, integer(version('5', id)), raise('5', id)
redis.call('DEL', key)
redis.call('HSET', key, 'version', v, unpack(all))
if disabled == '1' then up() else append('5', id, v, '') end
return 'ok'
