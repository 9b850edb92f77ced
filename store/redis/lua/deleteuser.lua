sequence(arg())
local login = arg()
local names, added = typed('names:user', 'zset'), typed('added:user:' .. login, 'hash')

-- This also deletes the user's API keys.
revoke('6', login)()
redis.call('DEL', P .. 'user:' .. login, added)
redis.call('ZREM', names, login)
return 'ok'
