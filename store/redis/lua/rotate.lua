local s, old, client, now, since = arg(), arg(), arg(), arg(), arg()
local key = P .. 'token:' .. old
local owner, refresh, used, expires, family, ends = record('token:' .. old, 'client', 'refresh', 'used', 'expires', 'family', 'familyends')
if owner ~= client or refresh ~= '1' then return 'missing' end

-- graced reports whether the first use is known and recent enough. Records that were
-- written or marked as used by an older version do not say when the first use was.
local function graced()
	local first = redis.call('HGET', key, 'usedat')
	return first and first ~= '' and since ~= '' and number(key, first) > tonumber(since)
end

-- Reuse counts even if the token has expired. It is therefore checked first.
if used ~= '0' and not graced() then
	sequence(s)
	revoke('2', family, ends)()
	return 'reused'
end
if expires == '' or number(key, expires) <= tonumber(now) then return 'missing' end
local put = putTokens()

-- A use within the grace leaves the time of the first use as it is.
if used == '0' then redis.call('HSET', key, 'used', '1', 'usedat', now) end
put()
return 'ok'
