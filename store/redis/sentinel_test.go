package redis_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/faultproxy"
	"github.com/authtier/authtier/store/internal/services"
	"github.com/authtier/authtier/store/redis"
	"github.com/authtier/authtier/store/storetest"
)

// A guarded is two servers, one of which replicates the other, and their sentinel.
type guarded struct {
	servers  [2]*services.Service // the first is the master at the beginning
	killed   bool                 // one of the servers
	sentinel *services.Service
	watch    *goredis.Client // of the sentinel
}

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	g := &guarded{sentinel: services.Sentinel(t, nil)}
	for i := range g.servers {
		g.servers[i] = services.Redis(t, "repl-diskless-sync=no")
	}
	do(t, raw(t, g.servers[1]), "REPLICAOF", "127.0.0.1", port(g.servers[0]))
	g.watch = raw(t, g.sentinel)
	// These are the milliseconds between two steps of the sentinel, so that it is fast.
	do(t, g.watch, "SENTINEL", "DEBUG", "INFO-PERIOD", 200, "PING-PERIOD", 200, "ASK-PERIOD", 100, "PUBLISH-PERIOD", 100)
	g.monitor(t)
	g.replicated(t, 1)
	return g
}

// monitor makes the sentinel watch the first server as the master m.
func (g *guarded) monitor(t *testing.T) {
	t.Helper()
	do(t, g.watch, "SENTINEL", "MONITOR", "m", "127.0.0.1", port(g.servers[0]), 1)
	do(t, g.watch, "SENTINEL", "SET", "m", "down-after-milliseconds", 600, "failover-timeout", 1000)
}

// dsn returns the DSN of the master m. No sentinel listens at its first address.
func (g *guarded) dsn() string {
	return "redis://127.0.0.1:1/0?master_name=m&addr=" + g.sentinel.Addr()
}

// replicated waits until server i has received all writes of the other one and the
// sentinel knows it as a replica.
func (g *guarded) replicated(t *testing.T, i int) {
	t.Helper()
	db := raw(t, g.servers[i])
	eventually(t, "a server replicates the other", func() bool {
		info, known := fmt.Sprint(do(t, db, "INFO", "replication")), fmt.Sprint(do(t, g.watch, "SENTINEL", "REPLICAS", "m"))
		return strings.Contains(info, "role:slave") && strings.Contains(info, "master_link_status:up") &&
			strings.Contains(known, "port:"+port(g.servers[i])) && strings.Contains(known, "master-link-status:ok")
	})

	// WAIT waits for the writes that its own connection has made, and all before.
	master := raw(t, g.servers[1-i]).Conn()
	defer master.Close()
	if err := master.Set(t.Context(), "marker", i, 0).Err(); err != nil {
		t.Fatal(err)
	}
	if n, err := master.Wait(t.Context(), 1, 3*time.Second).Result(); err != nil || n != 1 {
		t.Fatalf("waiting for the replica: got %d, %v", n, err)
	}
}

// promoted reports whether the sentinel names server i as the master.
func (g *guarded) promoted(t *testing.T, i int) bool {
	t.Helper()
	return strings.Contains(fmt.Sprint(do(t, g.watch, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", "m")), port(g.servers[i]))
}

// promote makes server i the master. It tries again if the sentinel gives up, because a
// slow machine makes it believe that no replica is fit.
func (g *guarded) promote(t *testing.T, i int) {
	t.Helper()
	eventually(t, "a server is promoted", func() bool {
		idle := !strings.Contains(fmt.Sprint(do(t, g.watch, "SENTINEL", "MASTER", "m")), "failover_in_progress")
		done := g.promoted(t, i)
		if idle && !done {
			g.watch.Do(t.Context(), "SENTINEL", "FAILOVER", "m") // fails while no replica is fit
		}
		return done
	})
}

// disconnect makes the first server close the connections of its clients.
func (g *guarded) disconnect(t *testing.T) {
	t.Helper()
	do(t, raw(t, g.servers[0]), "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
}

// TestSentinelStore runs the conformance suite on a master that a sentinel names.
func TestSentinelStore(t *testing.T) {
	g := newGuarded(t)
	storetest.Run(t, func(t *testing.T) store.Store {
		return open(t, g.dsn(), redis.Config{Namespace: services.Name()})
	})
	storetest.RunShared(t, func(t *testing.T) (a, b store.Store) {
		cfg := redis.Config{Namespace: services.Name()}
		return open(t, g.dsn(), cfg), open(t, g.dsn(), cfg)
	})
}

// TestS01SentinelFailover promotes the replica while tokens are rotated. Then it kills the
// new master. Both times, the store must go on with the new master, and no rotation may
// have been repeated.
func TestS01SentinelFailover(t *testing.T) {
	g := newGuarded(t)
	h := open(t, g.dsn(), redis.Config{})
	testSmoke(t, h, open(t, g.dsn()+"&replica_only=true&use_disconnected_replicas=true", redis.Config{}))
	prepare(t, h)
	hints := listen(t.Context(), h)
	hints.hint(t, 5*time.Second)
	g.replicated(t, 1)

	stop := rotate(t, h, "a")
	g.promote(t, 1)
	recovers(t, h)
	stop()
	hints.end(t, 10*time.Second, func() {})
	g.answersFrom(t, h, 1)

	// The former master replicates the new one, which it now replaces again.
	g.replicated(t, 0)
	stop = rotate(t, h, "b")
	g.servers[1].Kill(t)
	g.killed = true
	eventually(t, "the replica is promoted", func() bool { return g.promoted(t, 0) })
	recovers(t, h)
	stop()
	g.answersFrom(t, h, 0)
	_, errOne := h.Token(t.Context(), store.DigestOf("one"))
	if _, errTwo := h.Token(t.Context(), store.DigestOf("two")); errOne != nil || !errors.Is(errTwo, store.ErrNotFound) {
		t.Errorf("after two failovers: got %v for a token, and %v for a revoked one", errOne, errTwo)
	}
}

// TestS10SentinelLosesWrites fails over to a replica that lacks the last revocation. The
// cursor of a node that knows the revocation must no longer be valid.
func TestS10SentinelLosesWrites(t *testing.T) {
	g := newGuarded(t)
	h := open(t, g.dsn(), redis.Config{})
	prepare(t, h)
	g.replicated(t, 1)

	// The replica cannot connect again, and connections that are open need no password.
	db, replica := raw(t, g.servers[0]), raw(t, g.servers[1])
	do(t, db, "CONFIG", "SET", "requirepass", "unknown")
	do(t, db, "CLIENT", "KILL", "TYPE", "replica")
	eventually(t, "the replica is cut off", func() bool {
		return strings.Contains(fmt.Sprint(do(t, replica, "INFO", "replication")), "master_link_status:down")
	})
	errRevoke := h.Revoke(t.Context(), store.Change{Kind: store.KindFamily, ID: "f"})
	_, cursor, err := h.Snapshot(t.Context())
	if errRevoke != nil || err != nil {
		t.Fatal(errRevoke, err)
	}

	g.servers[0].Kill(t)
	eventually(t, "the replica is promoted", func() bool { return g.promoted(t, 1) })
	recovers(t, h)
	if _, err := h.Token(t.Context(), store.DigestOf("one")); err != nil {
		t.Errorf("the token whose revocation is lost: %v", err)
	}
	if err := h.Revoke(t.Context(), store.Change{Kind: store.KindToken, ID: "another"}); err != nil {
		t.Error(err)
	}
	if cs, _, err := h.Since(t.Context(), cursor); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the former cursor: got %v, %v, want %v", cs, err, store.ErrNotFound)
	}
}

// answersFrom checks that the commands of h reach server i, and not the other one, which
// may have been killed.
func (g *guarded) answersFrom(t *testing.T, h *redis.Store, i int) {
	t.Helper()
	var dbs []*goredis.Client
	for j, s := range g.servers {
		if j == i || !g.killed {
			dbs = append(dbs, raw(t, s))
			do(t, dbs[len(dbs)-1], "CONFIG", "RESETSTAT")
		}
	}
	ctx := t.Context()
	_, errClient := h.Client(ctx, "c")
	_, _, errSnapshot := h.Snapshot(ctx)
	_, errList := h.ListUsers(ctx, "", 9)
	for _, err := range []error{
		errClient, errSnapshot, errList,
		h.PutTokens(ctx, token(services.Name(), services.Name())), h.Revoke(ctx, store.Change{Kind: store.KindToken, ID: "x"}),
	} {
		if err != nil {
			t.Errorf("after a failover: %v", err)
		}
	}
	for _, db := range dbs {
		stats := fmt.Sprint(do(t, db, "INFO", "commandstats"))
		reached := strings.Contains(stats, "cmdstat_eval")
		if want := db.Options().Addr == g.servers[i].Addr(); reached != want {
			t.Errorf("commands reached %s: %t, want %t", db.Options().Addr, reached, want)
		}
	}
}

// rotate rotates tokens until the returned function is called. Calls may fail, but a
// first use of a token must never count as a second one.
func rotate(t *testing.T, h *redis.Store, name string) (stop func()) {
	t.Helper()
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		for f := 0; ; f++ {
			family := fmt.Sprint(name, f)
			err := h.PutTokens(t.Context(), token(family+"-0", family))
			for i := 0; err == nil; i++ {
				select {
				case <-done:
					return
				default:
				}
				now, next := fmt.Sprint(family, "-", i), token(fmt.Sprint(family, "-", i+1), family)
				err = h.RotateRefreshToken(t.Context(), store.DigestOf(now), "c", time.Now(), 0, next)
			}
			if errors.Is(err, store.ErrReused) {
				t.Errorf("a first use of a token of %s is taken for a second one", family)
			}
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond): // a failing call may return at once
			}
		}
	})
	return func() { close(done); wg.Wait() }
}

// TestS01SentinelForgets makes the sentinel forget the master. That must never be taken
// for a missing record.
func TestS01SentinelForgets(t *testing.T) {
	g := newGuarded(t)
	h := open(t, g.dsn(), redis.Config{})
	prepare(t, h)
	refused(t, strings.Replace(g.dsn(), "=m&", "=other&", 1), redis.Config{}, "sentinels")

	do(t, g.watch, "SENTINEL", "REMOVE", "m")
	g.disconnect(t)
	errs := everything(t.Context(), h)
	allFail(t, errs)
	for method, err := range errs {
		if errors.Is(err, goredis.Nil) {
			t.Errorf("%s: got %v, which means a missing key", method, err)
		}
	}
	g.monitor(t)
	recovers(t, h)
	if _, err := h.Token(t.Context(), store.DigestOf("one")); err != nil {
		t.Errorf("after it: %v", err)
	}
}

// TestSentinelGone kills the sentinel. The store works as long as its connections do.
// Without them, calls must fail, and must not fill the log.
func TestSentinelGone(t *testing.T) {
	g := newGuarded(t)
	h := open(t, g.dsn(), redis.Config{})
	prepare(t, h)
	g.sentinel.Kill(t)
	if _, err := h.Token(t.Context(), store.DigestOf("one")); err != nil {
		t.Errorf("without a sentinel: %v", err)
	}

	g.disconnect(t)
	before := logged.sentinels.Load()
	begin := time.Now()
	for range 200 {
		allFail(t, map[string]error{"Revoke": h.Revoke(t.Context(), store.Change{Kind: store.KindToken, ID: "x"})})
	}
	seconds := int32(time.Since(begin)/time.Second) + 1
	if lines := logged.sentinels.Load() - before; lines > 20*seconds {
		t.Errorf("200 calls in %d seconds wrote %d lines to the log", seconds, lines)
	}
	g.sentinel.Start(t)
	recovers(t, h)
}

// TestS01SentinelSilent uses a sentinel that stops answering. Each call must end within
// two seconds, and the store must turn to another sentinel.
func TestS01SentinelSilent(t *testing.T) {
	g := newGuarded(t)
	silent, other := faultproxy.New(t, g.sentinel.Addr()), faultproxy.New(t, g.sentinel.Addr())
	other.Refuse() // so that the store selects the first
	h := open(t, "redis://"+silent.Addr()+"/0?master_name=m&addr="+other.Addr(), redis.Config{})
	prepare(t, h)
	silent.BlackHole()
	other.Admit(t)
	g.disconnect(t)

	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		call := time.Now()
		_, err := h.Token(t.Context(), store.DigestOf("one"))
		if took := time.Since(call); took > 2*time.Second {
			t.Errorf("a call took %v", took)
		}
		if err == nil {
			return
		}
		allFail(t, map[string]error{"Token": err})
		if time.Since(begin) > 6*time.Second {
			t.Fatalf("six seconds later: %v", err)
		}
	}
}

// TestS01SentinelReplica makes a sentinel name a replica as the master. The replica must
// not be opened, and a store that was open before must not read from it.
func TestS01SentinelReplica(t *testing.T) {
	g := newGuarded(t)
	h := open(t, g.dsn(), redis.Config{})
	prepare(t, h)
	g.replicated(t, 1)
	do(t, g.watch, "SENTINEL", "REMOVE", "m")
	do(t, g.watch, "SENTINEL", "MONITOR", "m", "127.0.0.1", port(g.servers[1]), 1)
	g.disconnect(t)
	refused(t, g.dsn(), redis.Config{AllowVolatile: true}, "slave")
	allFail(t, everything(t.Context(), h))

	do(t, g.watch, "SENTINEL", "REMOVE", "m")
	g.monitor(t)
	recovers(t, h)
}

// TestSentinelPasswords uses one password for the sentinel and another for the server.
func TestSentinelPasswords(t *testing.T) {
	server, sentinel := services.Redis(t), services.Sentinel(t, nil)
	db, watch := raw(t, server), raw(t, sentinel)
	do(t, watch, "SENTINEL", "MONITOR", "m", "127.0.0.1", port(server), 1)
	do(t, watch, "ACL", "SETUSER", "default", ">s3cret/#?")
	do(t, db, "ACL", "SETUSER", "store", "on", ">canary/#?", "~*", "&*", "+@all")
	do(t, db, "CONFIG", "SET", "requirepass", "another")

	dsn := func(sentinels, servers string) string {
		return "redis://:" + sentinels + "@" + sentinel.Addr() + "/0?master_name=m&username=store&password=" + servers
	}
	open(t, dsn("s3cret%2F%23%3F", "canary%2F%23%3F"), redis.Config{})
	for _, tt := range [][2]string{{"s3cret%2F%23%3F", "wrong-canary"}, {"wrong-s3cret", "canary%2F%23%3F"}} {
		s, err := redis.Open(t.Context(), dsn(tt[0], tt[1]), nil)
		if err == nil {
			s.Close()
			t.Errorf("%q: opened", tt)
			continue
		}
		if !strings.Contains(err.Error(), "WRONGPASS") || slices.ContainsFunc([]string{"canary", "s3cret"}, func(secret string) bool {
			return strings.Contains(err.Error(), secret)
		}) {
			t.Errorf("%q: got %v", tt, err)
		}
	}
}
