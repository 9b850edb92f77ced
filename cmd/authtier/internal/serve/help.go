package serve

import (
	"strings"

	"github.com/authtier/authtier/cmd/authtier/internal/trust"
)

// long is the page that serve --help prints.
func long() string { return strings.Replace(page, "PRESETS\n", trust.Forms(), 1) }

const page = `serve answers at these paths. It uses the store that the other commands administer.

  /oauth2/token, /oauth2/introspect, /oauth2/revoke    OAuth 2.0
  /.well-known/...                                     metadata and the key set
  /api/login, /api/logout, /api/me                     sessions of users
  /partner/...                                         tokens and usage of clients
  /me                                                  whose credential it is
  /healthz                                             200 while the process answers
  /readyz                                              200 if it can read the store

If the issuer's URL has a path, /oauth2/... and the metadata are below that path too.

First steps, in an empty folder:

  authtier init      # makes auth.db, auth.key, a client, a user and an API key, and prints them
  authtier serve     # prints "listening on http://127.0.0.1:8080" once it answers

Then, in another terminal:

  curl -H 'X-API-KEY: KEY' http://127.0.0.1:8080/me
  curl -u CLIENT:SECRET -d grant_type=client_credentials http://127.0.0.1:8080/oauth2/token
  curl -H 'Authorization: Bearer TOKEN' http://127.0.0.1:8080/me

serve makes neither a store nor a key file; run authtier init first. All servers on one
store need the same key file and the same --issuer. Do not change --issuer later: the server
refuses tokens and sessions of another issuer. With --addr 127.0.0.1:0, set --issuer, because
each start uses another port.

/me takes an API key in X-API-KEY or a token in Authorization. If a request has both, the
token decides. It answers with client_id, user, scope and issuer as JSON, and in the headers
Authtier-Client, Authtier-User, Authtier-Scope and Authtier-Issuer. It refuses any other
credential, or none, with 401, as auth_request of nginx expects. Each accepted request of
one of this server's clients counts one use of the API "authtier", product "me".

To listen beyond loopback, serve needs one of these, and --issuer https://...:

  --tls-cert FILE --tls-key FILE    it speaks TLS itself, and loads renewed files
  --trusted-proxy NETWORKS          a proxy in front speaks TLS, and sets X-Forwarded-For and
                                    X-Forwarded-Proto; other machines get 403, except for
                                    /healthz and /readyz. Name only proxies: every machine
                                    of the networks can claim any client address.

--trust-issuer lets /me accept the tokens of a provider too. The provider must be reachable
at the start. The value is the URL and the audience of any OpenID Connect or OAuth 2.0 issuer,

  https://ISSUER,AUDIENCE[,AUDIENCE...]

or one of these; "..." stands for further values:

PRESETS

http URLs are accepted on loopback only. Without an AUDIENCE, "own" expects the issuer's URL
as the audience. Two issuers may use the same client_id: compare the issuer too. If tokens
are refused, --log-level debug names the claim at fault and the setting to look at.

Environment: each flag below names its variable, such as AUTHTIER_ADDR for --addr. A flag
on the command line wins. Put a DSN with a password into AUTHTIER_STORE or into the file of
--store-file. In AUTHTIER_TRUST_ISSUER, spaces separate several values.

Signals: SIGTERM and SIGINT end the server without losing a request or a count. /readyz
answers 503, and the server keeps accepting requests for --drain-delay, so that load
balancers notice. Then it accepts no more connections, finishes running requests for at most
--drain-timeout, records the usage counts and closes the store. A second signal ends it at
once; its counts stay in --usage-dir and are recorded at the next start.

Output: the first line on standard output is "listening on URL". Logs go to standard error.

Exit status: 0 after a signal; 1 for a failure, and for requests that were cut off after
--drain-timeout; 2 for a wrong flag or variable.`
