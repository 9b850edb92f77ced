-- Returns the last change and its nonce if the records must be looked for.
local last = sequence(arg())
if catchUp() then return 'ok' end
return integer(head) .. ' ' .. field(last, 'nonce')
