local last = sequence(arg())
return {last[1], last[2], redis.call('HGETALL', P .. 'versions'), redis.call('HGETALL', P .. 'revoked')}
