sequence(arg())
local login = arg()
local names, added = typed('names:user', 'zset'), typed('added:user:' .. login, 'hash')
revoke('6', login)()
redis.call('DEL', P .. 'user:' .. login, added)
redis.call('ZREM', names, login)
return 'ok'
