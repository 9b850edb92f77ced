sequence(arg())
catchUp()
local put, problem = newKeys()
if not put then return problem end
put()
return 'ok'
