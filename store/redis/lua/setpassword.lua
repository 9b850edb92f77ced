sequence(arg())
local login, password = arg(), arg()
local key, up = P .. 'user:' .. login, raise('6', login)
if redis.call('EXISTS', key) == 0 then return 'missing' end
redis.call('HSET', key, 'password', password)
up()
return 'ok'
