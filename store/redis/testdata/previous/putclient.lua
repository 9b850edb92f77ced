sequence(arg())
local id, disabled, all = arg(), arg(), fields()
record('client:' .. id, 'version')
local key, v, up = P .. 'client:' .. id, integer(version('5', id)), raise('5', id)
local used, before = {}, redis.call('HGETALL', key)
for i = 1, #before, 2 do
	if string.sub(before[i], 1, 5) == 'used:' then used[before[i]] = before[i + 1] end
end
redis.call('DEL', key)
redis.call('HSET', key, 'version', v, unpack(all))
for _, s in ipairs(cjson.decode(arg())) do
	if used['used:' .. s] then redis.call('HSET', key, 'used:' .. s, used['used:' .. s]) end
end
if disabled == '1' then up() else append('5', id, v, '') end
return 'ok'
