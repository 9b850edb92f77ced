local todo = {}

local function touch(key, field, when)
	local old = redis.call('HGET', key, field)
	if old and number(key, old) >= tonumber(when) then return end
	todo[#todo + 1] = {key, field, when}
end

for i = 1, tonumber(arg()) do
	local client, id, when = arg(), arg(), arg()

	-- A use of a key or secret that is gone must not create one.
	if client == '' then
		local d = redis.call('GET', typed('apikeyid:' .. id, 'string'))
		if d and record('apikey:' .. d, 'id') then touch(P .. 'apikey:' .. d, 'used', when) end
	else
		local key, text = P .. 'client:' .. client, record('client:' .. client, 'secrets', 'version')
		for _, s in ipairs(text and secretsOf(key, text) or {}) do
			if id ~= '' and s.id == id then touch(key, 'used:' .. id, when) end
		end
	end
end
-- Of several uses of one key or secret, the latest is written last.
table.sort(todo, function(a, b) return tonumber(a[3]) < tonumber(b[3]) end)
for _, t in ipairs(todo) do redis.call('HSET', t[1], t[2], t[3]) end
return 'ok'
