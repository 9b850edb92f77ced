// openid-client finds the issuer by its URL alone, gets a token and calls the API.
import * as client from 'openid-client'

const { ISSUER, API, CLIENT_ID, CLIENT_SECRET } = process.env
const config = await client.discovery(new URL(ISSUER), CLIENT_ID, CLIENT_SECRET, undefined, {
  execute: [client.allowInsecureRequests], // http on loopback
})
const token = await client.clientCredentialsGrant(config, { scope: 'reports:read' })
const answer = await client.fetchProtectedResource(config, token.access_token, new URL(API), 'GET')
process.stdout.write(await answer.text())

if (!(await client.tokenIntrospection(config, token.access_token)).active) throw new Error('a fresh token is not active')
await client.tokenRevocation(config, token.access_token)
if ((await client.tokenIntrospection(config, token.access_token)).active) throw new Error('a revoked token is active')
