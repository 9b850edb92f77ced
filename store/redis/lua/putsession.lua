local d, id, till = arg(), arg(), arg()
local all, drop = fields(), dropSession(d)
local ids, ends = typed('sessionid:' .. id, 'set'), typed('ends:session', 'zset')

-- A session with this digest may exist. Its old ID must not find the new one.
drop()
redis.call('HSET', P .. 'session:' .. d, unpack(all))
redis.call('SADD', ids, d)
if till ~= '' then redis.call('ZADD', ends, till, d) end
return 'ok'
