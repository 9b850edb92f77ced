sequence(arg())
catchUp()
local put, problem = newKeys(true)
if not put then return problem end
put()
return 'ok'
