sequence(arg())
putKey()()
return 'ok'
