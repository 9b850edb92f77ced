-- Indexes records of one kind.
local kind = arg()
for i = 1, tonumber(arg()) do index(kind, arg()) end
return 'ok'
