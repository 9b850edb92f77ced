// oauth4webapi finds the issuer's endpoints, gets a token, calls the API, introspects the
// token and revokes it.
import * as oauth from 'oauth4webapi'

const { ISSUER, API, CLIENT_ID, CLIENT_SECRET } = process.env
const insecure = { [oauth.allowInsecureRequests]: true } // http on loopback

const issuer = new URL(ISSUER)
const as = await oauth.processDiscoveryResponse(issuer,
  await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }))
const client = { client_id: CLIENT_ID }
const auth = oauth.ClientSecretBasic(CLIENT_SECRET)

const token = await oauth.processClientCredentialsResponse(as, client,
  await oauth.clientCredentialsGrantRequest(as, client, auth, { scope: 'reports:read' }, insecure))
const answer = await oauth.protectedResourceRequest(token.access_token, 'GET', new URL(API), undefined, null, insecure)
process.stdout.write(await answer.text())

const introspect = async () => oauth.processIntrospectionResponse(as, client,
  await oauth.introspectionRequest(as, client, auth, token.access_token, insecure))
if (!(await introspect()).active) throw new Error('a fresh token is not active')
await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, auth, token.access_token, insecure))
if ((await introspect()).active) throw new Error('a revoked token is active')
