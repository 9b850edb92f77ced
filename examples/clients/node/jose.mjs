// jose verifies a token of the issuer with the issuer's key set, as another API would.
import { createRemoteJWKSet, jwtVerify } from 'jose'

const { ISSUER, API, CLIENT_ID, CLIENT_SECRET } = process.env
const metadata = await (await fetch(`${ISSUER}/.well-known/oauth-authorization-server`)).json()
const answer = await fetch(metadata.token_endpoint, {
  method: 'POST',
  headers: { Authorization: `Basic ${btoa(`${CLIENT_ID}:${CLIENT_SECRET}`)}` },
  body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'reports:read' }),
})
const { access_token } = await answer.json()

const keys = createRemoteJWKSet(new URL(metadata.jwks_uri))
const { payload, protectedHeader } = await jwtVerify(access_token, keys, { issuer: ISSUER, audience: ISSUER, typ: 'at+jwt' })
if (payload.client_id !== CLIENT_ID || payload.scope !== 'reports:read' || !protectedHeader.kid) throw new Error(JSON.stringify(payload))
process.stdout.write(await (await fetch(API, { headers: { Authorization: `Bearer ${access_token}` } })).text())
