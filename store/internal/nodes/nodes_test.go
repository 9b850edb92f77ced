// Package nodes tests several nodes that share a store, and single nodes whose store
// fails. The nodes are real servers. The tests kill them, pause them, cut them off and
// restore them to an earlier state. The package has no code except its tests.
package nodes

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/faultproxy"
	"github.com/authtier/authtier/store/internal/services"
	"github.com/authtier/authtier/store/postgres"
	"github.com/authtier/authtier/store/redis"
)

// closable is a store that several nodes can open.
type closable interface {
	store.Store
	io.Closer
}

// A server is a kind of store that runs in processes of its own.
type server struct {
	// named returns a DSN with which a node is known to the server as "child", until the
	// server has done everything that the node asked for.
	named func(dsn string) string
	knows func(t testing.TB, s *services.Service) bool

	start func(t testing.TB) *services.Service
	open  func(ctx context.Context, dsn string) (closable, error)
}

var servers = map[string]server{
	"postgres": {
		named: func(dsn string) string { return dsn + "&application_name=child" },
		knows: func(t testing.TB, s *services.Service) bool {
			return s.SQL(t, s.DSN(), `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'child'`) != "0"
		},
		start: func(t testing.TB) *services.Service { return services.Postgres(t, "fsync=on") },
		open: func(ctx context.Context, dsn string) (closable, error) {
			return postgres.Open(ctx, dsn, &postgres.Config{AllowVolatile: true})
		},
	},
	"redis": {
		named: func(dsn string) string { return dsn + "?client_name=child" },
		knows: func(t testing.TB, s *services.Service) bool {
			return strings.Contains(redisCommand(t, s, "CLIENT LIST"), " name=child ")
		},
		start: func(t testing.TB) *services.Service { return services.Redis(t, "appendfsync=always") },
		open:  func(ctx context.Context, dsn string) (closable, error) { return redis.Open(ctx, dsn, nil) },
	},
}

// onServers runs a test for each kind of server.
func onServers(t *testing.T, test func(t *testing.T, s server)) {
	for name, s := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, s)
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fill stores the records that the tests use.
func fill(t *testing.T, db store.Store) {
	t.Helper()
	ctx := t.Context()
	must(t, db.CreateClient(ctx, store.Client{
		ID: "app", Secrets: []store.Secret{{ID: "s", Digest: store.DigestOf("app-secret")}}, Scopes: []string{"a"}, Default: []string{"a"},
		Grants: []string{store.GrantClientCredentials, store.GrantRefreshToken},
	}))
	must(t, db.CreateClient(ctx, store.Client{ID: "other", Scopes: []string{"a"}, Default: []string{"a"}}))
	must(t, db.CreateUsers(ctx, store.User{Login: "ada"}, store.User{Login: "bob"}))
	must(t, db.CreateAPIKeys(ctx, store.APIKey{ID: "k", Client: "app", Digest: store.DigestOf("key")}))
}

// A node stands for one of several processes: it has a store, an issuer, a cache, and an
// HTTP server.
type node struct {
	db   closable
	iss  *issuer.Issuer
	url  string
	stop func() // also called at the end of the test
	log  *logs
}

var signing = sync.OnceValues(func() (*issuer.KeySet, error) {
	key, err := issuer.GenerateKey("EdDSA")
	if err != nil {
		return nil, err
	}
	return issuer.NewKeySet(key)
})

func newNode(t *testing.T, s server, dsn string, opaque bool) *node {
	t.Helper()
	db, err := s.open(t.Context(), dsn)
	must(t, err)
	return serve(t, db, opaque)
}

// serve starts a node on a store. The node closes the store when it stops.
func serve(t *testing.T, db closable, opaque bool) *node {
	t.Helper()
	n := &node{db: db, log: &logs{}}
	log := slog.New(slog.NewTextHandler(n.log, nil))
	cfg := issuer.Config{OpaqueTokens: opaque, Log: log}
	var err error
	if !opaque {
		cfg.Keys, err = signing()
		must(t, err)
	}
	n.iss, err = issuer.New(t.Context(), "https://id.example", db, &cfg)
	must(t, err)
	cache, err := middleware.NewCache(n.iss, 1000, nil)
	must(t, err)
	ok := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })
	ew := &errorsx.Writer{Log: log}
	mux := http.NewServeMux()
	mux.Handle("/cached", middleware.Chain(middleware.Errors(ew), middleware.Bearer(cache, nil))(ok))
	mux.Handle("/asked", middleware.Chain(middleware.Errors(ew), middleware.Bearer(n.iss, nil))(ok))
	mux.Handle("/key", middleware.Chain(middleware.Errors(ew), middleware.APIKey(n.iss, nil))(ok))
	own := http.NewServeMux()
	n.iss.Register(own)
	mux.Handle("/", middleware.Errors(ew)(own))
	srv := httptest.NewServer(mux)
	n.url = srv.URL
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { n.iss.Run(ctx) })
	n.stop = sync.OnceFunc(func() {
		cancel()
		srv.Close()
		running.Wait()
		db.Close()
	})
	t.Cleanup(n.stop)
	return n
}

// get returns the AUTH code of the response, or "" if the request was admitted.
func (n *node) get(t testing.TB, path, header, value string) string {
	t.Helper()
	r, err := http.NewRequest("GET", n.url+path, nil)
	must(t, err)
	r.Header.Set(header, value)
	return answer(t, r)
}

func (n *node) bearer(t testing.TB, path, token string) string {
	t.Helper()
	return n.get(t, path, "Authorization", "Bearer "+token)
}

// grant asks the token endpoint for a token.
func (n *node) grant(t testing.TB) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}}
	r, err := http.NewRequest("POST", n.url+"/oauth2/token", strings.NewReader(form.Encode()))
	must(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("app", "app-secret")
	return answer(t, r)
}

func answer(t testing.TB, r *http.Request) string {
	t.Helper()
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Error(err)
		return "no answer"
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	if res.StatusCode < 300 {
		return ""
	}
	_, code, _ := bytes.Cut(body, []byte(`"AUTH-`))
	number, _, found := bytes.Cut(code, []byte(`"`))
	if !found {
		return res.Status
	}
	return "AUTH-" + string(number)
}

// ours reports whether an answer says that the failure is the server's.
func ours(answer string) bool { return answer == "AUTH-4" || answer == "AUTH-8" }

// eventually waits until done returns true, and fails after the given time.
func eventually(t testing.TB, within time.Duration, what string, done func() bool) {
	t.Helper()
	for began := time.Now(); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > within {
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}

func mint(t testing.TB, n *node) string {
	t.Helper()
	tokens, err := n.iss.Mint(t.Context(), issuer.Grant{Client: "app", User: "ada"})
	must(t, err)
	return tokens.AccessToken
}

// proxied returns a DSN that leads through a proxy.
func proxied(t *testing.T, s *services.Service) (*faultproxy.Proxy, string) {
	t.Helper()
	p := faultproxy.New(t, s.Addr())
	return p, services.At(s.DSN(), p.Addr())
}

// logs keeps log lines in memory.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// redisCommand returns the server's reply to a command.
func redisCommand(t testing.TB, s *services.Service, command string) string {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr())
	must(t, err)
	defer c.Close()
	_, err = fmt.Fprintf(c, "%s\r\nQUIT\r\n", command)
	must(t, err)
	reply, err := io.ReadAll(c)
	must(t, err)
	return string(reply)
}
