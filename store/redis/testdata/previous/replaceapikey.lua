-- The arguments after the time are those of the successor.
sequence(arg())
local now, id, till = arg(), arg(), arg()
local nextID, client, digest = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
local d = redis.call('GET', typed('apikeyid:' .. id, 'string'))
if not d then return 'missing' end
local owner, expires = record('apikey:' .. d, 'client', 'expires')
if owner ~= client then return 'missing' end
if nextID == id or record('apikey:' .. digest, 'id') then return 'taken' end
local key = P .. 'apikey:' .. d
if expires ~= '' and number(key, expires) < tonumber(till) then till = expires end
local drop, put = revoke('4', id, ''), putKey()
if tonumber(till) > tonumber(now) then
	redis.call('HSET', key, 'expires', till)
	append('4', id, '0', '')
else
	drop()
end
put()
return 'ok'
