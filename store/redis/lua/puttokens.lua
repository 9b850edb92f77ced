putTokens()()
return 'ok'
