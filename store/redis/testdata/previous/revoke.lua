sequence(arg())
local todo = {}
for i = 1, tonumber(arg()) do todo[i] = revoke(arg(), arg(), arg(), arg()) end
for _, f in ipairs(todo) do f() end
return 'ok'
