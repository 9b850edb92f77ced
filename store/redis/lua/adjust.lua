-- Stores an adjustment. If there is one with its key, returns its place and value instead.
local key, series, day, value = arg(), arg(), arg(), arg()
local place = day .. ':' .. series
local keys, all, days, adjusted = typed('adjustments', 'hash'), typed('series', 'set'), typed('days:' .. series, 'zset'), typed('adjusted:' .. place, 'hash')
local known = redis.call('HGET', keys, key)
if known then
	local old = redis.call('HGET', typed('adjusted:' .. known, 'hash'), key)
	if not old then error(keys .. ' holds ' .. known .. ', where there is no such adjustment', 0) end
	return {known, old}
end
redis.call('SADD', all, series)
redis.call('ZADD', days, day, day)
redis.call('HSET', keys, key, place)
redis.call('HSET', adjusted, key, value)
return 'ok'
