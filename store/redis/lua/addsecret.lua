sequence(arg())
local id, now, others, added = arg(), arg(), arg(), cjson.decode(arg())
local key, text = P .. 'client:' .. id, record('client:' .. id, 'secrets', 'version')
if not text then return 'missing' end
local list, kept, dropped = secretsOf(key, text), {}, {}
for _, s in ipairs(list) do
	if s.id == added.id or s.digest == added.digest then return {'exists', 'secret', added.id} end
end

if redis.call('SISMEMBER', typed('tombstones:secrets:' .. id, 'set'), added.digest) == 1 then return {'revoked', 'secret', added.id} end
for _, s in ipairs(list) do
	if others ~= '' and (s.expires == '' or number(key, s.expires) > tonumber(others)) then s.expires = others end

	-- Expired secrets are dropped now, because no other script does it.
	local over = s.expires ~= '' and number(key, s.expires) <= tonumber(now)
	local into = over and dropped or kept
	into[#into + 1] = s
end
kept[#kept + 1] = added
changeSecrets(id, key, kept, dropped)
return 'ok'
