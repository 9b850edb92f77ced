// Gets tokens from the demo at the URL in the first argument and revokes them.
const assert = require('node:assert/strict');
const { ClientCredentials, ResourceOwnerPassword } = require('simple-oauth2');

const url = process.argv[2];
const id = 'demo-client';
const secret = 'demo-secret';
const config = {
  client: { id, secret },
  auth: { tokenHost: url, tokenPath: '/oauth2/token', revokePath: '/oauth2/revoke' },
};
const user = { username: 'user_email@email.com', password: 'user_password' };

async function active(token, type) {
  const response = await fetch(`${url}/oauth2/introspect`, {
    method: 'POST',
    headers: { Authorization: `Basic ${btoa(`${id}:${secret}`)}` },
    body: new URLSearchParams({ token, token_type_hint: type }),
  });
  assert.equal(response.status, 200);
  return (await response.json()).active;
}

// check fails unless exactly the token's parts that are named are active.
async function check(what, token, ...parts) {
  for (const type of ['access_token', 'refresh_token']) {
    if (token.token[type]) {
      assert.equal(await active(token.token[type], type), parts.includes(type), `${type} ${what}`);
    }
  }
}

async function main() {
  const machine = await new ClientCredentials(config).getToken({ scope: 'files' });
  await check('of a client', machine, 'access_token');
  await machine.revoke('access_token');
  await check('of a client, after revoke', machine);

  const people = new ResourceOwnerPassword(config);
  const access = await people.getToken(user);
  await check('of a user', access, 'access_token', 'refresh_token');
  await access.revoke('access_token');
  await check('after revoke of the access token', access, 'refresh_token');

  const refresh = await people.getToken(user);
  await refresh.revoke('refresh_token');
  await check('after revoke of the refresh token', refresh);

  const all = await people.getToken(user);
  await all.revokeAll();
  await check('after revokeAll', all);
  await all.revoke('access_token'); // a second time
}

main().then(
  () => console.log('revoked'),
  (err) => {
    console.error(err.stack, err.data?.payload?.toString());
    process.exitCode = 1;
  },
);
