package issuer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// A mixedSite is a server for many clients, each with an API key, a secret, and
// tokens of both kinds for itself and for a user.
type mixedSite struct {
	server  *httptest.Server
	clients []mixedClient
}

type mixedClient struct {
	id, key, secret                 string
	own, user, opaque, opaqueOfUser string // tokens
}

func newMixedSite(t *testing.T, clients int) *mixedSite {
	t.Helper()
	db := newStore(t)
	iss := newIssuer(t, db, issuer.Config{AllowUnthrottled: true})
	opaque := newIssuer(t, db, issuer.Config{OpaqueTokens: true})
	running(t, iss)
	running(t, opaque)
	s := &mixedSite{}
	for n := range clients {
		c := mixedClient{id: fmt.Sprint("client", n), secret: fmt.Sprint("secret", n)}
		user := fmt.Sprint("user", n)
		key, record := newAPIKey(c.id, nil, time.Time{})
		c.key = key
		err := errors.Join(
			db.CreateClient(t.Context(), store.Client{
				ID: c.id, Secrets: []store.Secret{{ID: "s1", Digest: store.DigestOf(c.secret)}}, Scopes: []string{"a"}, Default: []string{"a"},
				Grants: []string{store.GrantClientCredentials, store.GrantRefreshToken},
			}),
			db.CreateUsers(t.Context(), store.User{Login: user}),
			db.CreateAPIKeys(t.Context(), record),
		)
		if err != nil {
			t.Fatal(err)
		}
		c.own, c.user = mint(t, iss, issuer.Grant{Client: c.id}).AccessToken, mint(t, iss, issuer.Grant{Client: c.id, User: user}).AccessToken
		c.opaque, c.opaqueOfUser = mint(t, opaque, issuer.Grant{Client: c.id}).AccessToken, mint(t, opaque, issuer.Grant{Client: c.id, User: user}).AccessToken
		s.clients = append(s.clients, c)
	}
	s.server = httptest.NewServer(mixedRoutes(t, iss, opaque, clients))
	t.Cleanup(s.server.Close)
	s.server.Client().Transport.(*http.Transport).MaxIdleConnsPerHost = 32
	return s
}

func mixedRoutes(t *testing.T, iss, opaque *issuer.Issuer, clients int) http.Handler {
	cache := func(v middleware.Validator) *middleware.Cache {
		c, err := middleware.NewCache(v, clients, nil) // too small for all credentials
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	signed, stored := cache(iss), cache(opaque)
	me := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := middleware.IdentityFromContext(r.Context())
		fmt.Fprintf(w, "%s/%s", id.Client, id.User)
	})
	mux := http.NewServeMux()
	mux.Handle("/key", middleware.APIKey(signed, nil)(me))
	mux.Handle("/basic", middleware.Basic(signed, nil)(me))
	mux.Handle("/signed", middleware.Bearer(signed, nil)(me))
	mux.Handle("/opaque", middleware.Bearer(stored, nil)(me))
	mux.Handle("/both", middleware.Chain(middleware.APIKey(signed, nil), middleware.Bearer(signed, nil))(me))
	mux.Handle("/token", iss.TokenHandler())
	mux.Handle("/introspect", iss.IntrospectHandler())
	return mux
}

// pick makes a request and returns a text that a 200 answer must hold. If the text is
// "", the answer must not be 200.
func (s *mixedSite) pick(ctx context.Context) (r *http.Request, want string) {
	n := rand.IntN(len(s.clients))
	c, other := s.clients[n], s.clients[(n+1)%len(s.clients)]
	own, user := c.id+"/", fmt.Sprintf("%s/user%d", c.id, n)
	post := func(path string, form url.Values) *http.Request {
		r, _ := http.NewRequestWithContext(ctx, "POST", s.server.URL+path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth(c.id, c.secret)
		return r
	}
	get := func(path, key, token string) *http.Request {
		r, _ := http.NewRequestWithContext(ctx, "GET", s.server.URL+path, nil)
		if key != "" {
			r.Header.Set("X-API-KEY", key)
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		return r
	}
	switch rand.IntN(12) {
	case 0:
		return get("/key", c.key, ""), own
	case 1:
		r = get("/basic", "", "")
		r.SetBasicAuth(c.id, c.secret)
		return r, own
	case 2:
		r = get("/basic", "", "")
		r.SetBasicAuth(c.id, other.secret)
		return r, ""
	case 3:
		return get("/signed", "", c.own), own
	case 4:
		return get("/signed", "", c.user), user
	case 5:
		return get("/opaque", "", c.opaque), own
	case 6:
		return get("/opaque", "", c.opaqueOfUser), user
	case 7:
		return get("/both", c.key, c.user), user
	case 8:
		return get("/both", c.key, other.user), ""
	case 9:
		return get("/signed", "", c.user[:len(c.user)-4]+other.user[len(other.user)-4:]), ""
	case 10:
		return post("/token", url.Values{"grant_type": {"client_credentials"}}), `"access_token":"ey`
	}
	return post("/introspect", url.Values{"token": {c.user}}), fmt.Sprintf(`"client_id":%q,"username":"user%d"`, c.id, n)
}

// TestC13S03MixedRequests sends requests of all kinds to a real server. A fifth of them
// disconnect at some time. No answer may be that of another request. With
// AUTHTIER_LONG=1 it sends a million requests.
func TestC13S03MixedRequests(t *testing.T) {
	requests := int64(4_000)
	if os.Getenv("AUTHTIER_LONG") == "1" {
		requests = 1_000_000
	}
	s := newMixedSite(t, 200)
	var sent, admitted, refused, hungUp atomic.Int64
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for sent.Add(1) <= requests {
				switch s.send(t) {
				case 0:
					hungUp.Add(1)
				case http.StatusOK:
					admitted.Add(1)
				default:
					refused.Add(1)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d admitted, %d refused, %d hung up", admitted.Load(), refused.Load(), hungUp.Load())
	if admitted.Load() < requests/2 || refused.Load() < requests/8 || hungUp.Load() < requests/50 {
		t.Errorf("of %d requests %d admitted, %d refused, %d hung up: not the mix that was meant", requests, admitted.Load(), refused.Load(), hungUp.Load())
	}
}

// answers reports whether a body is the expected one: exactly the identity, or JSON
// that holds it.
func answers(body, want string) bool {
	if strings.HasPrefix(want, `"`) {
		return strings.Contains(body, want)
	}
	return body == want && want != ""
}

// send sends one request and returns its status, or 0 if it disconnected.
func (s *mixedSite) send(t *testing.T) int {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	hangsUp := rand.IntN(100) < 23 // some of these are answered all the same
	if hangsUp {
		defer time.AfterFunc(time.Duration(rand.ExpFloat64()*float64(500*time.Microsecond)), cancel).Stop()
	}
	r, want := s.pick(ctx)
	resp, err := s.server.Client().Do(r)
	if err != nil {
		if !hangsUp {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		return 0
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil && hangsUp:
		return 0
	case err != nil:
		t.Errorf("%s: %v", r.URL.Path, err)
	case resp.StatusCode == 200 && !answers(string(body), want):
		t.Errorf("%s: admitted as %q, want %q", r.URL.Path, body, want)
	case resp.StatusCode != 200 && want != "" && !hangsUp:
		t.Errorf("%s: %d %s, want %q", r.URL.Path, resp.StatusCode, body, want)
	case resp.StatusCode >= 500 && !hangsUp:
		t.Errorf("%s: %d %s", r.URL.Path, resp.StatusCode, body)
	}
	return resp.StatusCode
}
