-- Returns the digest and the fields of one key, or of all that a client has.
local by, name, found = arg(), arg(), {}
local ids = {name}
if by == 'client' then ids = redis.call('SMEMBERS', typed('apikeys:' .. name, 'set')) end
for _, id in ipairs(ids) do
	local d = redis.call('GET', typed('apikeyid:' .. id, 'string'))
	if d then found[#found + 1] = {d, redis.call('HGETALL', typed('apikey:' .. d, 'hash'))} end
end
return found
