-- Returns the name, the key and the fields of one record, or nothing.
local kind, name = arg(), arg()
local all, key = stored(kind, name)
if not all then return {} end
return reply(name, key, all)
