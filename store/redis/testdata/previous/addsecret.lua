sequence(arg())
local id, now, others, added = arg(), arg(), arg(), cjson.decode(arg())
local key, text = P .. 'client:' .. id, record('client:' .. id, 'secrets', 'version')
if not text then return 'missing' end
local list, kept = secretsOf(key, text), {}
for _, s in ipairs(list) do
	if others ~= '' and (s.expires == '' or number(key, s.expires) > tonumber(others)) then s.expires = others end
	if s.id ~= added.id and (s.expires == '' or number(key, s.expires) > tonumber(now)) then kept[#kept + 1] = s end
end
kept[#kept + 1] = added
changeSecrets(id, key, list, kept)
return 'ok'
