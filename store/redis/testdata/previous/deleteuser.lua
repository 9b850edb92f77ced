sequence(arg())
local login = arg()
raise('6', login)()
redis.call('DEL', P .. 'user:' .. login)
return 'ok'
