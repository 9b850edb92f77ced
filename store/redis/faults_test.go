package redis_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/faultproxy"
	"github.com/authtier/authtier/store/internal/services"
	"github.com/authtier/authtier/store/redis"
)

// everything calls each method once. If the store works, all calls succeed after prepare.
func everything(ctx context.Context, s *redis.Store) map[string]error {
	errs := map[string]error{}
	now, d := time.Now(), store.DigestOf("one")
	_, errs["Client"] = s.Client(ctx, "c")
	_, errs["User"] = s.User(ctx, "u")
	_, errs["APIKey"] = s.APIKey(ctx, d)
	_, errs["Token"] = s.Token(ctx, d)
	errs["PutTokens"] = s.PutTokens(ctx, token("new", "g"))
	errs["RotateRefreshToken"] = s.RotateRefreshToken(ctx, d, "c", now, 0, token("two", "f"))
	errs["PutSession"] = s.PutSession(ctx, session("s", d, now.Add(time.Hour)))
	_, errs["Session"] = s.Session(ctx, d)
	errs["Renew"] = s.Renew(ctx, d, now, now.Add(time.Minute))
	errs["Revoke"] = s.Revoke(ctx, store.Change{Kind: store.KindToken, ID: "x"})
	_, cursor, err := s.Snapshot(ctx)
	errs["Snapshot"] = err
	_, _, errs["Since"] = s.Since(ctx, cursor)
	_, errs["Record"] = s.Record(ctx, store.Stream{1}, store.Batch{Seq: 1, Through: now, Counts: []store.Count{
		{Counter: 1, API: "a", Issuer: "i", Day: longAgo, Total: 1}, {Counter: 2, API: "a", Issuer: "i", Day: today(), Total: 1},
	}})
	_, errs["Report"] = s.Report(ctx, all)
	errs["Adjust"] = s.Adjust(ctx, adjustment("k", longAgo))
	_, errs["Adjustments"] = s.Adjustments(ctx, all)
	errs["ForgetUsage"] = s.ForgetUsage(ctx, -1)
	_, errs["SigningKeys"] = s.SigningKeys(ctx, "set")
	errs["PutSigningKeys"] = s.PutSigningKeys(ctx, signingKey("k"))
	errs["CreateClient"] = s.CreateClient(ctx, store.Client{ID: "new"})
	errs["UpdateClient"] = s.UpdateClient(ctx, "c", func(c *store.Client) error { c.Scopes = []string{"a"}; return nil })
	_, errs["ListClients"] = s.ListClients(ctx, "", 9)
	errs["CreateUsers"] = s.CreateUsers(ctx, store.User{Login: "new"})
	errs["UpdateUser"] = s.UpdateUser(ctx, "u", func(u *store.User) error { u.First = "F"; return nil })
	errs["SetPassword"] = s.SetPassword(ctx, "u", hash("q"))
	errs["Rehash"] = s.Rehash(ctx, "u", hash("q"), hash("r"))
	_, errs["ListUsers"] = s.ListUsers(ctx, "", 9)
	errs["CreateAPIKeys"] = s.CreateAPIKeys(ctx, apiKey("k3", "c"))
	errs["UpdateAPIKey"] = s.UpdateAPIKey(ctx, "k", func(k *store.APIKey) error { k.Name = "N"; return nil })
	_, errs["APIKeyByID"] = s.APIKeyByID(ctx, "k")
	_, errs["ListAPIKeys"] = s.ListAPIKeys(ctx, "c", "", 9)
	errs["ReplaceAPIKey"] = s.ReplaceAPIKey(ctx, "k", now.Add(time.Hour), apiKey("k2", "c"))
	errs["Revoke of a key"] = s.Revoke(ctx, store.Change{Kind: store.KindAPIKey, ID: "k2"})
	errs["AddSecret"] = s.AddSecret(ctx, "c", store.Secret{ID: "s", Digest: d, Created: now})
	errs["Touch"] = s.Touch(ctx, store.Use{ID: "k", At: now}, store.Use{Client: "c", ID: "s", At: now})
	_, errs["SecretsOf"] = s.SecretsOf(ctx, "c")
	errs["AddSecret of another"] = s.AddSecret(ctx, "c", store.Secret{ID: "s2", Digest: store.DigestOf("s2")})
	errs["DeleteSecret"] = s.DeleteSecret(ctx, "c", "s2")
	errs["DeleteClient"] = s.DeleteClient(ctx, "d")
	errs["DeleteUser"] = s.DeleteUser(ctx, "v")
	errs["Sweep"] = s.Sweep(ctx, now)
	return errs
}

func today() store.Day { return store.DayOf(time.Now()) }

// hash returns a text in the form of a password hash.
func hash(password string) string {
	return "$2a$10$" + fmt.Sprintf("%x", store.DigestOf(password))[:53]
}

func apiKey(id, client string) store.APIKey {
	return store.APIKey{ID: id, Client: client, Digest: store.DigestOf("key " + id)}
}

func session(id string, token store.Digest, ends time.Time) store.Session {
	return store.Session{ID: id, Token: token, User: "u", Expires: ends, Ends: ends}
}

func signingKey(id string) store.SigningKey {
	return store.SigningKey{Set: "set", ID: id, Alg: "ES256", Sealed: []byte("sealed")}
}

// prepare stores the records that everything uses.
func prepare(t *testing.T, s *redis.Store) {
	t.Helper()
	ctx := t.Context()
	for _, err := range []error{
		s.PutTokens(ctx, token("one", "f")),
		s.CreateClient(ctx, store.Client{ID: "c"}),
		s.CreateUsers(ctx, store.User{Login: "u", Password: hash("p"), LimitScopes: true}),
		s.CreateAPIKeys(ctx, store.APIKey{ID: "k", Client: "c", Digest: store.DigestOf("one"), Owner: "u"}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// allFail checks that each method fails with an error that is not an answer.
func allFail(t *testing.T, errs map[string]error) {
	t.Helper()
	for method, err := range errs {
		if err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrReused) ||
			errors.Is(err, store.ErrStreamClosed) || errors.Is(err, store.ErrKeyReused) {
			t.Errorf("%s: got %v, want an error that is not an answer", method, err)
		}
	}
}

func TestEverythingWorks(t *testing.T) {
	s := open(t, services.SharedRedis(t).DSN(), redis.Config{Namespace: services.Name()})
	prepare(t, s)
	for method, err := range everything(t.Context(), s) {
		if err != nil {
			t.Errorf("%s: %v", method, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	errs := everything(ctx, s)
	allFail(t, errs)
	for method, err := range errs {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want %v", method, err, context.Canceled)
		}
	}
}

// TestS01Gone uses a server that refuses connections, and then works again.
func TestS01Gone(t *testing.T) {
	s := services.Redis(t, "appendfsync=always")
	h := open(t, s.DSN(), redis.Config{})
	prepare(t, h)
	s.Kill(t)
	allFail(t, everything(t.Context(), h))
	s.Start(t)
	recovers(t, h)
	if _, err := h.Token(t.Context(), store.DigestOf("one")); err != nil {
		t.Errorf("after the restart: %v", err)
	}
}

// recovers waits until the store works again. It fails after five seconds.
func recovers(t *testing.T, h *redis.Store) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		_, _, err := h.Snapshot(t.Context())
		if err == nil {
			return
		}
		if time.Since(begin) > 5*time.Second {
			t.Fatalf("five seconds later: %v", err)
		}
	}
}

// TestS01Silent uses a server that accepts connections and never answers. Each call must
// end within two seconds.
func TestS01Silent(t *testing.T) {
	s := services.SharedRedis(t)
	p := faultproxy.New(t, s.Addr())
	cfg := redis.Config{Namespace: services.Name()}
	h := open(t, services.At(s.DSN(), p.Addr()), cfg)
	prepare(t, h)
	p.BlackHole()
	var wg sync.WaitGroup
	within := func(what string, f func() error) {
		wg.Go(func() {
			begin := time.Now()
			if err := f(); err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrReused) {
				t.Errorf("%s: got %v, want an error that is not an answer", what, err)
			}
			if took := time.Since(begin); took > 2*time.Second {
				t.Errorf("%s took %v", what, took)
			}
		})
	}
	for range 50 { // more than the pool has connections
		within("Token", func() error { _, err := h.Token(t.Context(), store.DigestOf("one")); return err })
	}
	within("RotateRefreshToken", func() error {
		return h.RotateRefreshToken(t.Context(), store.DigestOf("one"), "c", time.Now(), 0, token("two", "f"))
	})
	within("Revoke", func() error { return h.Revoke(t.Context(), store.Change{Kind: store.KindFamily, ID: "f"}) })
	within("Report", func() error { _, err := h.Report(t.Context(), all); return err })
	within("Open", func() error { _, err := redis.Open(t.Context(), services.At(s.DSN(), p.Addr()), &cfg); return err })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	within("Token with a deadline", func() error {
		begin := time.Now()
		_, err := h.Token(ctx, store.DigestOf("one"))
		if took := time.Since(begin); !errors.Is(err, context.DeadlineExceeded) || took > time.Second {
			t.Errorf("a deadline in 50 ms: got %v after %v", err, took)
		}
		return err
	})
	wg.Wait()
	p.Heal()
	recovers(t, h)
}

// TestR03R05ReplyLost loses the reply to a rotation that was done. The caller must get an
// error that is not an answer, and the token must be rotated only once.
func TestR03R05ReplyLost(t *testing.T) {
	s := services.SharedRedis(t)
	p := faultproxy.New(t, s.Addr())
	cfg := redis.Config{Namespace: services.Name()}
	direct := open(t, s.DSN(), cfg)
	h := open(t, services.At(s.DSN(), p.Addr()), cfg)
	for round := range 20 {
		name := func(n string) string { return fmt.Sprint(n, round) }
		family := name("f")
		for _, err := range []error{ // makes the server know the script
			direct.PutTokens(t.Context(), token(name("one"), family), token(name("warm"), name("g"))),
			h.RotateRefreshToken(t.Context(), store.DigestOf(name("warm")), "c", time.Now(), 0),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		cut := p.CutReply(faultproxy.Containing("evalsha"))
		err := h.RotateRefreshToken(t.Context(), store.DigestOf(name("one")), "c", time.Now(), 0, token(name("two"), family))
		allFail(t, map[string]error{"RotateRefreshToken": err})
		<-cut
		old, errOld := direct.Token(t.Context(), store.DigestOf(name("one")))
		_, errNew := direct.Token(t.Context(), store.DigestOf(name("two")))
		if errOld != nil || errNew != nil || !old.Used {
			t.Fatalf("after it: old %+v, %v; new %v; want it rotated once", old, errOld, errNew)
		}
		// An honest client tries again, which is a second use.
		err = h.RotateRefreshToken(t.Context(), store.DigestOf(name("one")), "c", time.Now(), 0, token(name("three"), family))
		if !errors.Is(err, store.ErrReused) {
			t.Errorf("trying again: got %v, want %v", err, store.ErrReused)
		}
		for _, n := range []string{"two", "three"} {
			if _, err := direct.Token(t.Context(), store.DigestOf(name(n))); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: got %v, want it gone", n, err)
			}
		}
	}
}

// TestR05RequestLost repeatedly cuts all connections while tokens are rotated. A family
// must never have two usable tokens.
func TestR05RequestLost(t *testing.T) {
	s := services.SharedRedis(t)
	p := faultproxy.New(t, s.Addr())
	cfg := redis.Config{Namespace: services.Name()}
	direct := open(t, s.DSN(), cfg)
	h := open(t, services.At(s.DSN(), p.Addr()), cfg)
	stop := make(chan struct{})
	var cutter sync.WaitGroup
	cutter.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
				p.Reset()
			}
		}
	})
	defer cutter.Wait()
	defer close(stop)
	for f := range 20 {
		made := []string{fmt.Sprint(f, "-", 0)}
		if err := direct.PutTokens(t.Context(), token(made[0], fmt.Sprint(f))); err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			next := fmt.Sprint(f, "-", i+1)
			made = append(made, next)
			err := h.RotateRefreshToken(t.Context(), store.DigestOf(made[i]), "c", time.Now(), 0, token(next, fmt.Sprint(f)))
			if errors.Is(err, store.ErrReused) {
				t.Errorf("family %d: a first use is taken for a second one", f)
			}
			if err != nil {
				break
			}
		}
		if live := liveTokens(t, direct, made); live != 1 {
			t.Errorf("family %d has %d live tokens, want 1", f, live)
		}
	}
}

// liveTokens returns how many of the tokens can be used. A rotation whose reply was lost
// may still be under way. liveTokens therefore repeats until two results are equal.
func liveTokens(t *testing.T, db *redis.Store, secrets []string) int {
	t.Helper()
	look := func() (live []string) {
		for _, secret := range secrets {
			switch tok, err := db.Token(t.Context(), store.DigestOf(secret)); {
			case err == nil && !tok.Used:
				live = append(live, secret)
			case err != nil && !errors.Is(err, store.ErrNotFound):
				t.Fatal(err)
			}
		}
		return live
	}
	for before := look(); ; {
		now := look()
		if slices.Equal(before, now) {
			return len(now)
		}
		before = now
	}
}

// TestS01Full fills the server's memory. Writes must fail as a whole, and reads must work.
func TestS01Full(t *testing.T) {
	s := services.Redis(t)
	h, db := open(t, s.DSN(), redis.Config{}), raw(t, s)
	prepare(t, h)
	do(t, db, "CONFIG", "SET", "maxmemory", "1")
	if _, err := h.Token(t.Context(), store.DigestOf("one")); err != nil {
		t.Errorf("reading: %v", err)
	}
	err := h.RotateRefreshToken(t.Context(), store.DigestOf("one"), "c", time.Now(), 0, token("two", "f"))
	allFail(t, map[string]error{
		"RotateRefreshToken": err,
		"Revoke":             h.Revoke(t.Context(), store.Change{Kind: store.KindSession, ID: "x"}),
	})
	do(t, db, "CONFIG", "SET", "maxmemory", "0")
	if tok, err := h.Token(t.Context(), store.DigestOf("one")); err != nil || tok.Used {
		t.Errorf("after it: got %+v, %v, want the token unused", tok, err)
	}
	for method, err := range everything(t.Context(), h) {
		if err != nil {
			t.Errorf("%s: %v", method, err)
		}
	}
}
