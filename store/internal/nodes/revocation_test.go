package nodes

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/store"
)

// TestC01ThreeNodes revokes credentials of each kind on one node. The others must refuse
// them within a second, even if the store gives no hints.
func TestC01ThreeNodes(t *testing.T) {
	onServers(t, func(t *testing.T, kind server) {
		for _, hints := range []bool{true, false} {
			s := kind.start(t)
			var ns []*node
			for range 3 {
				db, err := kind.open(t.Context(), s.DSN())
				must(t, err)
				if !hints {
					db = struct{ closable }{db} // hides the method Hint
				}
				ns = append(ns, serve(t, db, false))
			}
			fill(t, ns[0].db)
			key, err := ns[0].iss.CreateAPIKey(t.Context(), store.APIKey{Client: "app"})
			must(t, err)
			keyID := strings.Split(key, "_")[2]
			token := mint(t, ns[1])
			ofUser, ofClient := mint(t, ns[2]), ""
			tokens, err := ns[0].iss.Mint(t.Context(), issuer.Grant{Client: "app"})
			must(t, err)
			ofClient = tokens.AccessToken
			for _, tt := range []struct {
				what   string
				use    func(n *node) string
				revoke func(ctx context.Context, i *issuer.Issuer) error
				want   string
			}{
				{"token", func(n *node) string { return n.bearer(t, "/cached", token) }, func(ctx context.Context, i *issuer.Issuer) error { return i.RevokeToken(ctx, token) }, "AUTH-12"},
				{"API key", func(n *node) string { return n.get(t, "/key", "X-Api-Key", key) }, func(ctx context.Context, i *issuer.Issuer) error { return i.RevokeAPIKey(ctx, keyID) }, "AUTH-1"},
				{"user", func(n *node) string { return n.bearer(t, "/cached", ofUser) }, func(ctx context.Context, i *issuer.Issuer) error { return i.RevokeUser(ctx, "ada") }, "AUTH-12"},
				{"client", func(n *node) string { return n.bearer(t, "/cached", ofClient) }, func(ctx context.Context, i *issuer.Issuer) error { return i.RevokeClient(ctx, "app") }, "AUTH-12"},
			} {
				for i, n := range ns {
					if got := tt.use(n); got != "" {
						t.Fatalf("%s on node %d before: %s", tt.what, i, got)
					}
				}
				must(t, tt.revoke(t.Context(), ns[1].iss))
				if got := tt.use(ns[1]); got != tt.want {
					t.Errorf("%s on the node itself, at once: got %q", tt.what, got)
				}
				revoked := time.Now()
				for _, n := range ns {
					eventually(t, time.Second-time.Since(revoked), tt.what+" refused", func() bool { return tt.use(n) == tt.want })
				}
			}
		}
	})
}

// TestS10PutBack puts the store back to an earlier copy. Each node must notice and log it,
// and must still refuse the credentials whose revocation it knows.
func TestS10PutBack(t *testing.T) {
	onServers(t, func(t *testing.T, kind server) {
		s := kind.start(t)
		first := newNode(t, kind, s.DSN(), false)
		fill(t, first.db)
		first.stop()
		s.CopyData(t)
		ns := []*node{newNode(t, kind, s.DSN(), false), newNode(t, kind, s.DSN(), false)}
		token, good := mint(t, ns[0]), mint(t, ns[0])
		must(t, ns[0].iss.RevokeToken(t.Context(), token))
		for _, n := range ns {
			eventually(t, time.Second, "refused", func() bool { return n.bearer(t, "/cached", token) == "AUTH-12" })
			if got := n.bearer(t, "/cached", good); got != "" {
				t.Errorf("another token: %s", got)
			}
		}
		for range 3 {
			must(t, ns[0].iss.RevokeUser(t.Context(), "bob"))
			must(t, ns[0].iss.RevokeClient(t.Context(), "other"))
		}
		s.RestoreData(t)
		for _, n := range ns {
			eventually(t, 10*time.Second, "the log says that the store has gone back in time", func() bool {
				return strings.Contains(n.log.String(), "gone back in time")
			})
			for _, path := range []string{"/cached", "/asked"} {
				if got := n.bearer(t, path, token); got != "AUTH-12" {
					t.Errorf("%s: the revoked token is answered %q after the store has forgotten it", path, got)
				}
				if got := n.bearer(t, path, good); got != "" {
					t.Errorf("%s: a good token is answered %s", path, got)
				}
			}
		}
		raised(t, ns)
		must(t, ns[0].iss.RevokeUser(t.Context(), "ada"))
		eventually(t, time.Second, "a later revocation heard of", func() bool { return ns[1].bearer(t, "/cached", good) == "AUTH-12" })
	})
}

// raised mints tokens for a client and a user whose versions the store has forgotten. All
// nodes must admit the tokens until they are revoked.
func raised(t *testing.T, ns []*node) {
	t.Helper()
	for _, g := range []issuer.Grant{{Client: "other"}, {Client: "app", User: "bob"}} {
		var token string
		eventually(t, 5*time.Second, "a new token admitted everywhere", func() bool {
			tokens, err := ns[1].iss.Mint(t.Context(), g)
			must(t, err)
			token = tokens.AccessToken
			return ns[0].bearer(t, "/asked", token) == "" && ns[1].bearer(t, "/cached", token) == ""
		})
		if g.User != "" {
			must(t, ns[0].iss.RevokeUser(t.Context(), g.User))
		} else {
			must(t, ns[0].iss.RevokeClient(t.Context(), g.Client))
		}
		for _, n := range ns {
			eventually(t, time.Second, "refused", func() bool { return n.bearer(t, "/cached", token) == "AUTH-12" })
		}
	}
}

// TestS01KilledServer repeatedly kills the store's server under load, while tokens are
// revoked. Failures must be reported as the server's, and no revoked token may be admitted.
func TestS01KilledServer(t *testing.T) {
	onServers(t, func(t *testing.T, kind server) {
		s := kind.start(t)
		ns := []*node{newNode(t, kind, s.DSN(), true), newNode(t, kind, s.DSN(), true)}
		fill(t, ns[0].db)
		good := mint(t, ns[0])
		var revoked sync.Map // from tokens to the times at which RevokeToken returned
		var admitted, failed atomic.Int64
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for i := range 4 {
			n := ns[i%2]
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					for _, path := range []string{"/cached", "/asked"} {
						switch got := n.bearer(t, path, good); {
						case got == "":
							admitted.Add(1)
						case ours(got):
							failed.Add(1)
						default:
							t.Errorf("%s: a good token is answered %s", path, got)
						}
					}
					revoked.Range(func(token, at any) bool {
						got := n.bearer(t, "/asked", token.(string)) // this path has no cache
						if got == "" {
							t.Errorf("a token revoked %v ago is admitted", time.Since(at.(time.Time)))
						}
						return got != "AUTH-12" || !revoked.CompareAndDelete(token, at)
					})
				}
			})
		}
		for range 3 {
			for range 5 {
				token, err := ns[0].iss.Mint(t.Context(), issuer.Grant{Client: "app", User: "ada"})
				if err != nil {
					continue
				}
				if err := ns[1].iss.RevokeToken(t.Context(), token.AccessToken); err == nil {
					revoked.Store(token.AccessToken, time.Now())
				}
				time.Sleep(10 * time.Millisecond)
			}
			s.Kill(t)
			time.Sleep(100 * time.Millisecond)
			s.Start(t)
			eventually(t, 5*time.Second, "admitted again", func() bool { return ns[0].bearer(t, "/asked", good) == "" && ns[1].bearer(t, "/asked", good) == "" })
		}
		close(stop)
		wg.Wait()
		if admitted.Load() == 0 || failed.Load() == 0 {
			t.Errorf("%d admitted and %d failed, want some of both", admitted.Load(), failed.Load())
		}
	})
}
