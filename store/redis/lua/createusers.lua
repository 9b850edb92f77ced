sequence(arg())
catchUp()
local users, logins = {}, {}
for i = 1, tonumber(arg()) do
	local u = {
		login = arg(), password = arg(), first = arg(), last = arg(), lang = arg(), disabled = arg(),
		scopes = arg(), limit_scopes = arg(),
	}

	-- A reused login continues with its version, so that old tokens stay revoked.
	u.version = integer(version('6', u.login))
	users[i], logins[i] = u, u.login
end
typedAll('added:user:', logins, 'hash')
local taken = present('user:', logins, 'hash')
if taken then return {'exists', 'user', logins[taken]} end
local names = typed('names:user', 'zset')
for _, u in ipairs(users) do
	redis.call('HSET', P .. 'user:' .. u.login, 'version', u.version, 'password', u.password,
		'first', u.first, 'last', u.last, 'lang', u.lang, 'disabled', u.disabled,
		'scopes', u.scopes, 'limit_scopes', u.limit_scopes)
	keep('user', u.login, u)
end
ordered(names, logins)
return 'ok'
