sequence(arg())
local id, secret, kept = arg(), arg(), {}
local key, text = P .. 'client:' .. id, record('client:' .. id, 'secrets', 'version')
if not text then return 'missing' end
local list = secretsOf(key, text)
for _, s in ipairs(list) do
	if secret == '' or s.id ~= secret then kept[#kept + 1] = s end
end
if #kept == #list then return 'missing' end
changeSecrets(id, key, list, kept)
return 'ok'
