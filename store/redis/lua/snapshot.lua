local last = sequence(arg(), arg() == '1')
-- From now on the namespace has this format.
local known = tonumber(redis.call('GET', KEYS[1]))
if known and known < tonumber(FORMAT) then redis.call('SET', KEYS[1], FORMAT) end
return {last[1], last[2], redis.call('HGETALL', P .. 'versions'), redis.call('HGETALL', P .. 'revoked')}
