local login, from, to = arg(), arg(), arg()
local password = record('user:' .. login, 'password', 'version')
if password ~= from then return 'missing' end

-- Rehashing is no change, and keeps the version.
redis.call('HSET', P .. 'user:' .. login, 'password', to)
return 'ok'
