package redis_test

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/services"
	"github.com/authtier/authtier/store/redis"
)

// raw returns a client of the server, for commands that the store does not use.
func raw(t *testing.T, s *services.Service) *goredis.Client {
	t.Helper()
	db := goredis.NewClient(&goredis.Options{Addr: s.Addr(), DisableIdentity: true})
	t.Cleanup(func() { db.Close() })
	return db
}

// do sends a command.
func do(t *testing.T, db *goredis.Client, args ...any) any {
	t.Helper()
	reply, err := db.Do(t.Context(), args...).Result()
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return reply
}

// refused checks that Open fails with an error that contains what.
func refused(t *testing.T, dsn string, cfg redis.Config, what string) {
	t.Helper()
	s, err := redis.Open(t.Context(), dsn, &cfg)
	if err == nil {
		s.Close()
		t.Errorf("opened, want an error that mentions %s", what)
	} else if !strings.Contains(err.Error(), what) || !strings.HasPrefix(err.Error(), "redis: ") {
		t.Errorf("got %q, want an error that mentions %s", err, what)
	}
}

func TestVolatile(t *testing.T) {
	s := services.Redis(t, "appendonly=no")
	db, dsn := raw(t, s), s.DSN()
	refused(t, dsn, redis.Config{}, "append-only")
	do(t, db, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
	refused(t, dsn, redis.Config{}, "append-only")
	refused(t, dsn, redis.Config{}, "allkeys-lru")
	open(t, dsn, redis.Config{AllowVolatile: true})

	do(t, db, "CONFIG", "SET", "appendonly", "yes")
	refused(t, dsn, redis.Config{}, "allkeys-lru")
	do(t, db, "CONFIG", "SET", "maxmemory-policy", "volatile-lru") // keys of the store do not expire
	open(t, dsn, redis.Config{})

	do(t, db, "REPLICAOF", "127.0.0.1", "1")
	refused(t, dsn, redis.Config{AllowVolatile: true}, "slave")
}

func TestPassword(t *testing.T) {
	s := services.Redis(t)
	do(t, raw(t, s), "CONFIG", "SET", "requirepass", "s3cret/#?")
	u, err := url.Parse(s.DSN())
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("", "s3cret/#?")
	open(t, u.String(), redis.Config{})
	u.User = url.UserPassword("", "canary")
	refused(t, u.String(), redis.Config{}, "WRONGPASS")
	refused(t, s.DSN(), redis.Config{}, "NOAUTH")
}

// TestDSN opens stores with invalid DSNs. No error may contain the password.
func TestDSN(t *testing.T) {
	for dsn, what := range map[string]string{
		"":                                                 "scheme",
		"postgres://u:canary@127.0.0.1/db":                 "scheme",
		"redis://u:canary@127.0.0.1/x":                     "database",
		"redis://u:canary@127.0.0.1/0?canary=1":            "DSN",
		"redis://u:can/ary#canary?@127.0.0.1:1/0":          "percent-encode",
		"redis://u:canary\x00@127.0.0.1/0":                 "percent-encoded",
		"redis://u:canary@127.0.0.1:1/0":                   "refused",
		"unix://u:canary@/nonexistent/socket":              "socket",
		"rediss://u:canary@127.0.0.1:1/0?addr=127.0.0.1:2": "refused",

		"redis://u:canary@127.0.0.1:1/0?master_name=m&addr=127.0.0.1:2&password=canary":                    "refused",
		"redis://u:canary@127.0.0.1:1/0?master_name=m&route_by_latency=true&route_randomly=true":           "refused",
		"redis://u:canary@127.0.0.1:1/0?master_name=m&replica_only=true&use_disconnected_replicas=true":    "refused",
		"redis://u:canary@127.0.0.1:1/0?master_name=":                                                      "master_name is empty",
		"unix://u:canary@/nonexistent/socket?master_name=m":                                                "scheme",
		"redis://127.0.0.1:1/0?master_name=m&sentinel_password=canary":                                     "sentinel_password",
		"redis://127.0.0.1:1/0?master_name=m&password=canary&addr=u:canary@127.0.0.1:2":                    "DSN is not understood",
		"redis://127.0.0.1:1/0?master_name=m&sentinel_password=canary&addr=u:canary@127.0.0.1:2":           "DSN is not understood",
		"redis://u:canary@127.0.0.1:1/0?master_name=m&pipeline_pool_size=99999999999":                      "pipeline_pool_size is",
		"redis://u:canary@127.0.0.1:1/0?pipeline_pool_size=99999999999":                                    "pipeline_pool_size is",
		"redis://u:canary@127.0.0.1:1/0?master_name=m&pipeline_pool_size=-1&pool_size=-1&max_idle_conns=1": "pool_size is -1, ",
	} {
		s, err := redis.Open(t.Context(), dsn, nil)
		if err == nil {
			s.Close()
			t.Errorf("%q: opened", dsn)
			continue
		}
		if !strings.Contains(err.Error(), what) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: got %q, want an error that mentions %s", dsn, err, what)
		}
	}
	for _, ns := range []string{"a b", "{a}", "a:b", "a*", "é", strings.Repeat("x", 65), "a\n"} {
		refused(t, "redis://127.0.0.1:1", redis.Config{Namespace: ns}, "Namespace")
	}
}

func TestS02Format(t *testing.T) {
	s := services.SharedRedis(t)
	db, ns := raw(t, s), services.Name()
	cfg := redis.Config{Namespace: ns}
	open(t, s.DSN(), cfg)
	if got := do(t, db, "GET", "{"+ns+"}:format"); got != "2" {
		t.Errorf("format %v, want 2", got)
	}
	if got := do(t, db, "EXISTS", "{"+ns+"}:indexed"); got != int64(1) {
		t.Error("the records of an empty namespace would be looked for")
	}
	do(t, db, "SET", "{"+ns+"}:format", "1") // the format of the previous version
	open(t, s.DSN(), cfg)
	if got := do(t, db, "GET", "{"+ns+"}:format"); got != "2" {
		t.Errorf("format %v after one of 1, want 2", got)
	}
	do(t, db, "SET", "{"+ns+"}:format", "3") // a format one version newer is accepted
	open(t, s.DSN(), cfg)
	if got := do(t, db, "GET", "{"+ns+"}:format"); got != "3" {
		t.Errorf("format %v after one of 3, want 3", got)
	}
	for _, other := range []string{"4", "0", "-1", "x", ""} {
		do(t, db, "SET", "{"+ns+"}:format", other)
		refused(t, s.DSN(), cfg, "format")
	}
	do(t, db, "DEL", "{"+ns+"}:format")
	do(t, db, "RPUSH", "{"+ns+"}:format", "x")
	refused(t, s.DSN(), cfg, "WRONGTYPE")

	ns = services.Name()
	do(t, db, "SET", "{"+ns+"}:cache:1", "x")
	refused(t, s.DSN(), redis.Config{Namespace: ns}, "{"+ns+"}:cache:1")
	do(t, db, "DEL", "{"+ns+"}:cache:1")
	open(t, s.DSN(), redis.Config{Namespace: ns})
}

// TestS02OpenTogether opens one empty namespace many times at once.
func TestS02OpenTogether(t *testing.T) {
	s := services.SharedRedis(t)
	for range 5 {
		cfg := redis.Config{Namespace: services.Name()}
		var wg sync.WaitGroup
		cursors := make([]store.Cursor, 8)
		for i := range cursors {
			wg.Go(func() {
				h, err := redis.Open(t.Context(), s.DSN(), &cfg)
				if err != nil {
					t.Error(err)
					return
				}
				defer h.Close()
				if _, cursors[i], err = h.Snapshot(t.Context()); err != nil {
					t.Errorf("snapshot: %v", err)
				}
			})
		}
		wg.Wait()
		for _, c := range cursors {
			if c != cursors[0] {
				t.Errorf("cursors %v and %v of one empty namespace", c, cursors[0])
			}
		}
	}
}

// TestNamespaces checks that two namespaces of one server are separate.
func TestNamespaces(t *testing.T) {
	s := services.SharedRedis(t)
	name := services.Name()
	a, b := open(t, s.DSN(), redis.Config{Namespace: name}), open(t, s.DSN(), redis.Config{Namespace: name + ".b"})
	if err := a.CreateUsers(t.Context(), store.User{Login: "u"}); err != nil {
		t.Fatal(err)
	}
	if u, err := b.User(t.Context(), "u"); err != store.ErrNotFound {
		t.Errorf("in the other namespace: got %v, %v", u, err)
	}
}

// TestClosed uses a store after Close.
func TestClosed(t *testing.T) {
	s := open(t, services.SharedRedis(t).DSN(), redis.Config{Namespace: services.Name()})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.User(t.Context(), "u"); err == nil || err == store.ErrNotFound {
		t.Errorf("got %v", err)
	}
	if err := s.Hint(t.Context(), func() {}); err == nil {
		t.Error("hints from a closed store")
	}
}

// TestCluster uses a cluster of one server with all slots, and then stops the server.
func TestCluster(t *testing.T) {
	s := services.Redis(t, "cluster-enabled=yes")
	begin(t, raw(t, s))
	dsn := s.DSN()[:strings.LastIndex(s.DSN(), "/")] + "?addr=" + s.Addr()
	h := open(t, dsn, redis.Config{})
	testSmoke(t, h, open(t, dsn, redis.Config{}))
	fill(t, h)
	s.Kill(t)
	allFail(t, everything(t.Context(), h))
}

// begin makes a server a cluster of its own.
func begin(t *testing.T, db *goredis.Client) {
	t.Helper()
	do(t, db, "CLUSTER", "ADDSLOTSRANGE", 0, 16383)
	eventually(t, "the cluster begins", func() bool {
		return strings.Contains(fmt.Sprint(do(t, db, "CLUSTER", "INFO")), "cluster_state:ok")
	})
}

// eventually waits until done returns true. It fails after ten seconds.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for begin := time.Now(); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("it does not happen that %s", what)
		}
	}
}

// testSmoke rotates and revokes tokens.
func testSmoke(t *testing.T, a, b *redis.Store) {
	t.Helper()
	ctx, now := t.Context(), time.Now()
	_, cursor, err := b.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		a.PutTokens(ctx, token("one", "f")),
		b.RotateRefreshToken(ctx, store.DigestOf("one"), "c", now, 0, token("two", "f")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := a.RotateRefreshToken(ctx, store.DigestOf("one"), "c", now, 0, token("three", "f")); err != store.ErrReused {
		t.Errorf("a second use: got %v", err)
	}
	for _, secret := range []string{"one", "two", "three"} {
		if _, err := b.Token(ctx, store.DigestOf(secret)); err != store.ErrNotFound {
			t.Errorf("token %s: got %v, want it gone", secret, err)
		}
	}
	if cs, _, err := b.Since(ctx, cursor); err != nil || len(cs) != 1 || cs[0].ID != "f" {
		t.Errorf("changes: got %v, %v, want the family", cs, err)
	}
}

// token returns a refresh token of client c.
func token(secret, family string) store.Token {
	now := time.Now()
	return store.Token{
		ID: "id-" + secret, Family: family, Client: "c", Digest: store.DigestOf(secret), Refresh: true,
		Issued: now, Expires: now.Add(time.Hour), FamilyEnds: now.Add(2 * time.Hour),
	}
}
