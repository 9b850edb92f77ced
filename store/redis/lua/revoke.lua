sequence(arg())
local todo = {}
for i = 1, tonumber(arg()) do todo[i] = revoke(arg(), arg(), arg(), arg()) end

-- All changes are checked before the first one writes.
for _, f in ipairs(todo) do f() end
return 'ok'
