local d, lastUse, till = arg(), arg(), arg()
local key = P .. 'session:' .. d
local expires, ends = record('session:' .. d, 'expires', 'ends')
if not expires or expires == '' or number(key, expires) <= tonumber(lastUse) then return 'missing' end
if ends == '' then return 'ok' end
if tonumber(till) > number(key, ends) then till = ends end

-- A concurrent renewal may have set a later time, which stays.
if tonumber(till) > tonumber(expires) then redis.call('HSET', key, 'expires', till) end
return 'ok'
