sequence(arg())
local id, secret, kept, dropped = arg(), arg(), {}, {}
local key, text = P .. 'client:' .. id, record('client:' .. id, 'secrets', 'version')
if not text then return 'missing' end
for _, s in ipairs(secretsOf(key, text)) do
	local into = (secret ~= '' and s.id == secret) and dropped or kept
	into[#into + 1] = s
end
if #dropped == 0 then return 'missing' end
changeSecrets(id, key, kept, dropped)
return 'ok'
