package nodes

import (
	"sync"
	"testing"
	"time"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/store/internal/faultproxy"
	"github.com/authtier/authtier/store/internal/services"
	"github.com/authtier/authtier/store/memory"
)

// bound is the longest time that a node may take to answer while its store fails.
const bound = 2 * time.Second

// TestS01Faults lets the store fail in every way. All answers must say that the failure is
// the server's, and come within the bound. Cached credentials must still work. Soon after
// the fault, everything must work again.
func TestS01Faults(t *testing.T) {
	faults := map[string]struct {
		begin, end func(t *testing.T, s *services.Service, p *faultproxy.Proxy)
	}{
		"down": {
			func(t *testing.T, s *services.Service, _ *faultproxy.Proxy) { s.Kill(t) },
			func(t *testing.T, s *services.Service, _ *faultproxy.Proxy) { s.Start(t) },
		},
		"paused": {
			func(t *testing.T, s *services.Service, _ *faultproxy.Proxy) { s.Pause(t) },
			func(t *testing.T, s *services.Service, _ *faultproxy.Proxy) { s.Resume(t) },
		},
		"black hole": {
			func(_ *testing.T, _ *services.Service, p *faultproxy.Proxy) { p.BlackHole() },
			func(_ *testing.T, _ *services.Service, p *faultproxy.Proxy) { p.Heal() },
		},
		"refusing": {
			func(_ *testing.T, _ *services.Service, p *faultproxy.Proxy) { p.Refuse(); p.Reset() },
			func(t *testing.T, _ *services.Service, p *faultproxy.Proxy) { p.Admit(t) },
		},
		"slow": {
			func(_ *testing.T, _ *services.Service, p *faultproxy.Proxy) { p.Delay(3 * time.Second) },
			func(_ *testing.T, _ *services.Service, p *faultproxy.Proxy) { p.Delay(0) },
		},
	}
	onServers(t, func(t *testing.T, kind server) {
		s := kind.start(t)
		p, dsn := proxied(t, s)
		db, err := kind.open(t.Context(), dsn)
		must(t, err)
		// Changes during the run would make the node's cache forget the credentials that
		// they are about.
		fill(t, db)
		n := serve(t, db, true)
		for name, fault := range faults {
			t.Run(name, func(t *testing.T) {
				cached, fresh := mint(t, n), mint(t, n)
				if got := n.bearer(t, "/cached", cached); got != "" {
					t.Fatalf("before: %s", got)
				}
				fault.begin(t, s, p)
				during(t, n, cached, fresh)
				fault.end(t, s, p)
				eventually(t, 5*time.Second, "admitted again", func() bool {
					return n.bearer(t, "/asked", fresh) == "" && n.get(t, "/key", "X-Api-Key", "key") == "" && n.grant(t) == ""
				})
			})
		}
	})
}

// unknownToken returns a token of another issuer. Only a look-up in the store can tell that
// it is not one of this issuer.
func unknownToken(t *testing.T) string {
	t.Helper()
	db := memory.New()
	fill(t, db)
	other, err := issuer.New(t.Context(), "https://other.example", db, &issuer.Config{OpaqueTokens: true})
	must(t, err)
	tokens, err := other.Mint(t.Context(), issuer.Grant{Client: "app"})
	must(t, err)
	return tokens.AccessToken
}

// during makes requests while the store fails.
func during(t *testing.T, n *node, cached, fresh string) {
	t.Helper()
	unknown := unknownToken(t)
	for range 2 {
		if got := n.bearer(t, "/cached", cached); got != "" {
			t.Errorf("what the cache holds: got %s", got)
		}
		var asking sync.WaitGroup
		for name, ask := range map[string]func() string{
			"a good token":               func() string { return n.bearer(t, "/asked", fresh) },
			"a good token, by a cache":   func() string { return n.bearer(t, "/cached", fresh) },
			"an unknown token":           func() string { return n.bearer(t, "/asked", unknown) },
			"an unknown one, by a cache": func() string { return n.bearer(t, "/cached", unknown) },
			"an API key":                 func() string { return n.get(t, "/key", "X-Api-Key", "key") },
			"an unknown API key":         func() string { return n.get(t, "/key", "X-Api-Key", "unknown") },
			"the token endpoint":         func() string { return n.grant(t) },
		} {
			asking.Go(func() {
				began := time.Now()
				if got := ask(); !ours(got) {
					t.Errorf("%s: got %q, want AUTH-4 or AUTH-8", name, got)
				}
				if took := time.Since(began); took > bound {
					t.Errorf("%s: answered after %v, want at most %v", name, took, bound)
				}
			})
		}
		asking.Wait()
	}
}

// TestReset repeatedly cuts all connections under load. A request may fail, but only with
// an answer that says that the failure is the server's.
func TestReset(t *testing.T) {
	onServers(t, func(t *testing.T, kind server) {
		s := kind.start(t)
		p, dsn := proxied(t, s)
		n := newNode(t, kind, dsn, true)
		fill(t, n.db)
		token := mint(t, n)
		stop, ended := make(chan struct{}), make(chan map[string]int)
		for range 4 {
			go func() {
				seen := map[string]int{}
				for {
					select {
					case <-stop:
						ended <- seen
						return
					default:
						seen[n.bearer(t, "/asked", token)]++
						seen[n.get(t, "/key", "X-Api-Key", "key")]++
					}
				}
			}()
		}
		for i := range 20 {
			time.Sleep(20 * time.Millisecond)
			if i%2 == 0 {
				p.Reset()
			} else {
				p.Disconnect()
			}
			if i%5 == 4 {
				eventually(t, 5*time.Second, "admitted between two cuts", func() bool { return n.bearer(t, "/asked", token) == "" })
			}
		}
		close(stop)
		seen := map[string]int{}
		for range 4 {
			for answer, count := range <-ended {
				seen[answer] += count
			}
		}
		for answer := range seen {
			if answer != "" && !ours(answer) {
				t.Errorf("answered %s: %v", answer, seen)
			}
		}
		if len(seen) == 0 {
			t.Error("the load has sent nothing")
		}
	})
}
