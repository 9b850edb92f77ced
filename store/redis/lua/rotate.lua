local s, old, client, now = arg(), arg(), arg(), tonumber(arg())
local key = P .. 'token:' .. old
local owner, refresh, used, expires, family, ends = record('token:' .. old, 'client', 'refresh', 'used', 'expires', 'family', 'familyends')
if owner ~= client or refresh ~= '1' then return 'missing' end
if used ~= '0' then
	sequence(s)
	revoke('2', family, ends)()
	return 'reused'
end
if expires == '' or number(key, expires) <= now then return 'missing' end
local put = putTokens()
redis.call('HSET', key, 'used', '1')
put()
return 'ok'
