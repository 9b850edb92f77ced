package discovery

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/authtier/authtier/benchmarks/peers/bench"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

const user = "ada"

// A site is an issuer on a real listener, and the tokens of one grant.
type site struct {
	url             string
	access, refresh string
}

// start serves an issuer whose URL ends with path until the test ends.
func start(t *testing.T, alg, path string) *site {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	s := &site{url: "http://" + server.Listener.Addr().String() + path}
	db := memory.New()
	bench.Must(t, db.CreateUsers(t.Context(), store.User{Login: user}))
	bench.Must(t, db.CreateClient(t.Context(), store.Client{
		ID: bench.ClientID, Secrets: []store.Secret{{ID: "s1", Digest: store.DigestOf(bench.ClientSecret)}},
		Scopes: []string{bench.Scope, "files"}, Default: []string{bench.Scope}, Grants: []string{store.GrantRefreshToken},
	}))
	keys, err := issuer.NewKeySet(issuer.SigningKey{ID: "k1", Alg: alg, Private: bench.NewSigner(alg).Private})
	bench.Must(t, err)
	iss, err := issuer.New(t.Context(), s.url, db, &issuer.Config{Audience: bench.Audience, Keys: keys})
	bench.Must(t, err)
	mux := http.NewServeMux()
	iss.Register(mux)
	server.Config.Handler = mux
	server.Start()
	t.Cleanup(server.Close)

	tokens, err := iss.Mint(t.Context(), issuer.Grant{Client: bench.ClientID, User: user, Scope: "read files", Refresh: true})
	bench.Must(t, err)
	s.access, s.refresh = tokens.AccessToken, tokens.RefreshToken
	return s
}

// bad returns tokens that no resource server may accept.
func (s *site) bad() map[string]string {
	return map[string]string{
		"a refresh token": s.refresh, "another signature": bench.Tampered(s.access), "garbage": "garbage",
	}
}
