-- The arguments after the time describe the successor.
sequence(arg())
catchUp()
local now, id, till = arg(), arg(), arg()
local client = ARGV[at + 3] -- after the number of successors and the ID
local old, key = stored('apikey', id)
if not old or old.client ~= client then return 'missing' end
local expires = old.expires or error(key .. ' has no field expires', 0)
if expires ~= '' and number(key, expires) < tonumber(till) then till = expires end
local _, scopes = names(key, old.scopes or error(key .. ' has no field scopes', 0))

-- A successor may keep scopes of the old key that the client has lost.
local put, problem = newKeys(scopes)
if not put then return problem end
local drop = revoke('4', id, '')
if tonumber(till) > tonumber(now) then
	redis.call('HSET', key, 'expires', till)
	append('4', id, '0', '')
else
	drop()
end

put()
return 'ok'
