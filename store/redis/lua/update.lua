-- Changes a record if it is still as it was read. The arguments are its kind and name,
-- whether to raise the version, the fields as read, the changed fields, and the scopes
-- that are added to an API key. The key's client must have these scopes.
sequence(arg())
local kind, name, raised, read, changed, added = arg(), arg(), arg(), fields(), fields(), fields()
local all, key = stored(kind, name)
if not all then return 'missing' end
for i = 1, #read, 2 do
	if (all[read[i]] or '') ~= read[i + 1] then return 'changed' end
end

if #added > 0 then
	local scope = lacking(added, clientScopes(all.client) or {}, {})
	if scope then return {'scope', name, scope} end
end

-- The old owner is needed below to move the key between the sets of owners.
local owner = all.owner
for i = 1, #changed, 2 do all[changed[i]] = changed[i + 1] end
typed('added:' .. kind .. ':' .. name, 'hash')
if kind == 'apikey' then
	typed('owned:' .. owner, 'set')
	typed('owned:' .. all.owner, 'set')
end
local v, up = '0', nil
if kind ~= 'apikey' then v, up = integer(version(KINDS[kind], name)), raise(KINDS[kind], name) end

redis.call('HSET', key, unpack(changed))
keep(kind, name, all)
if kind == 'apikey' then
	redis.call('SREM', P .. 'owned:' .. owner, name)
	if all.owner ~= '' then redis.call('SADD', P .. 'owned:' .. all.owner, name) end
end
if raised == '1' then up() else append(KINDS[kind], name, v, '') end
return 'ok'
