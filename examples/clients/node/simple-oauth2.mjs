// simple-oauth2 gets a token, calls the API and revokes the token.
import { ClientCredentials } from 'simple-oauth2'

const { ISSUER, API, CLIENT_ID, CLIENT_SECRET } = process.env
const client = new ClientCredentials({
  client: { id: CLIENT_ID, secret: CLIENT_SECRET },
  auth: { tokenHost: ISSUER, tokenPath: '/oauth2/token', revokePath: '/oauth2/revoke' },
})
const token = await client.getToken({ scope: 'reports:read' })
const call = () => fetch(API, { headers: { Authorization: `Bearer ${token.token.access_token}` } })
process.stdout.write(await (await call()).text())

await token.revoke('access_token')
if ((await call()).ok) throw new Error('a revoked token is admitted')
