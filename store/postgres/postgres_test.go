package postgres_test

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/faultproxy"
	"github.com/authtier/authtier/store/internal/services"
	"github.com/authtier/authtier/store/postgres"
	"github.com/authtier/authtier/store/storetest"
)

func open(t *testing.T, dsn string) *postgres.Store {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel() // the context bounds the opening alone
	s, err := postgres.Open(ctx, dsn, &postgres.Config{AllowVolatile: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		return open(t, services.SharedPostgres(t).Database(t, ""))
	})
}

func TestShared(t *testing.T) {
	storetest.RunShared(t, func(t *testing.T) (a, b store.Store) {
		dsn := services.SharedPostgres(t).Database(t, "")
		return open(t, dsn), open(t, dsn)
	})
}

func TestS02OpenRefuses(t *testing.T) {
	s := services.SharedPostgres(t)
	for name, tt := range map[string]struct {
		prepare string // SQL in a database that Open has made
		want    string // in the error
	}{
		"two versions newer":           {`INSERT INTO authtier_migrations VALUES (6, '6', '', ''), (7, '7', '', '')`, "at most one newer"},
		"a migration that was changed": {`UPDATE authtier_migrations SET sum = 'x' WHERE version = 1`, "0001_records.sql differs"},
		"another program's table":      {`DROP TABLE authtier_migrations`, "already exists"},
		"read-only":                    {`DROP TABLE authtier_migrations; ALTER ROLE CURRENT_USER IN DATABASE %s SET default_transaction_read_only = on`, "read-only"},
	} {
		t.Run(name, func(t *testing.T) {
			dsn := s.Database(t, "")
			open(t, dsn).Close()
			u, err := url.Parse(dsn)
			if err != nil {
				t.Fatal(err)
			}
			database := strings.TrimPrefix(u.Path, "/")
			s.SQL(t, dsn, strings.ReplaceAll(tt.prepare, "%s", database))
			opened, err := postgres.Open(t.Context(), dsn, &postgres.Config{AllowVolatile: true})
			if err == nil {
				opened.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), database) {
				t.Errorf("got %v, want one that names %s and says %q", err, database, tt.want)
			}
		})
	}
	for _, dsn := range []string{"not a dsn", "postgres://user:hunter2@127.0.0.1:1/none", services.At(s.DSN(), s.Addr()) + "x"} {
		began := time.Now()
		_, err := postgres.Open(t.Context(), dsn, &postgres.Config{AllowVolatile: true})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v", dsn, err)
		}
		if time.Since(began) > 5*time.Second {
			t.Errorf("%s: refused after %v", dsn, time.Since(began))
		}
	}
}

func TestS02OneVersionNewer(t *testing.T) {
	s := services.SharedPostgres(t)
	dsn := s.Database(t, "")
	open(t, dsn)
	s.SQL(t, dsn, `INSERT INTO authtier_migrations VALUES (6, '0006_more.sql', 'x', ''); CREATE TABLE authtier_more (x INT)`)
	if err := open(t, dsn).CreateClient(t.Context(), store.Client{ID: "c"}); err != nil {
		t.Error(err)
	}
}

// TestS02OpenedAtOnce opens an empty database from several nodes at once.
func TestS02OpenedAtOnce(t *testing.T) {
	dsn := services.SharedPostgres(t).Database(t, "")
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			s, err := postgres.Open(t.Context(), dsn, &postgres.Config{AllowVolatile: true})
			if err != nil {
				t.Error(err)
				return
			}
			s.Close()
		})
	}
	wg.Wait()
}

// TestR03R05LostReply cuts the connection between the commit and its reply. The caller must
// get an error that is not an answer, and exactly one token must be usable.
func TestR03R05LostReply(t *testing.T) {
	server := services.Postgres(t)
	proxy := faultproxy.New(t, server.Addr())
	s, direct := open(t, services.At(server.DSN(), proxy.Addr())), open(t, server.DSN())
	token := func(secret string) store.Token {
		return store.Token{ID: secret, Family: "f", Client: "c", Digest: store.DigestOf(secret), Refresh: true, Expires: time.Now().Add(time.Hour), FamilyEnds: time.Now().Add(time.Hour)}
	}
	if err := s.PutTokens(t.Context(), token("old")); err != nil {
		t.Fatal(err)
	}
	cut := proxy.CutReply(faultproxy.Containing("commit\x00"))
	err := s.RotateRefreshToken(t.Context(), store.DigestOf("old"), "c", time.Now(), 0, token("next"))
	<-cut
	if err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrReused) {
		t.Errorf("got %v, want an error that is not an answer", err)
	}
	old, err := direct.Token(t.Context(), store.DigestOf("old"))
	if err != nil || !old.Used {
		t.Errorf("the old token: got %+v, %v, want it used", old, err)
	}
	if next, err := direct.Token(t.Context(), store.DigestOf("next")); err != nil || next.Used {
		t.Errorf("its successor: got %+v, %v, want it unused", next, err)
	}
	// The client got no answer and tries again, which is a second use.
	err = s.RotateRefreshToken(t.Context(), store.DigestOf("old"), "c", time.Now(), 0, token("again"))
	if !errors.Is(err, store.ErrReused) {
		t.Errorf("a second try: got %v, want %v", err, store.ErrReused)
	}
	if _, err := direct.Token(t.Context(), store.DigestOf("next")); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("after a second try, the successor: got %v", err)
	}
}

// TestHint expects hints soon after changes of another node, and an error when the
// connection breaks.
func TestHint(t *testing.T) {
	server := services.Postgres(t)
	proxy := faultproxy.New(t, server.Addr())
	s, other := open(t, services.At(server.DSN(), proxy.Addr())), open(t, server.DSN())
	hints, ended := make(chan struct{}, 100), make(chan error, 1)
	go func() { ended <- s.Hint(t.Context(), func() { hints <- struct{}{} }) }()
	<-hints // Hint has begun to listen
	for range 3 {
		for len(hints) > 0 {
			<-hints
		}
		if err := other.Revoke(t.Context(), store.Change{Kind: store.KindToken, ID: "t"}); err != nil {
			t.Fatal(err)
		}
		select {
		case <-hints:
		case <-time.After(5 * time.Second):
			t.Fatal("no hint")
		}
	}
	if err := other.PutTokens(t.Context(), store.Token{ID: "x", Client: "c", Digest: store.DigestOf("x"), Expires: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	proxy.Reset()
	if err := <-ended; err == nil {
		t.Error("the connection broke, and Hint returned no error")
	}
}

// TestUsageAfterPutBack records all counts again in a store that was put back to an earlier
// copy, through a handle that knew it before. No client may be billed for another.
func TestUsageAfterPutBack(t *testing.T) {
	server := services.Postgres(t)
	open(t, server.DSN()).Close()
	server.CopyData(t)
	s := open(t, server.DSN())
	day := store.DayOf(time.Now())
	tell := func(stream byte, seq uint64, clients ...string) {
		t.Helper()
		batch := store.Batch{Seq: seq, Through: time.Now()}
		for i, c := range clients {
			batch.Counts = append(batch.Counts, store.Count{
				Counter: uint32(i), Day: day, Issuer: "iss", Client: c, API: "api", Product: "p", Label: "l", Total: int64(len(c)),
			})
		}
		if _, err := s.Record(t.Context(), store.Stream{stream}, batch); err != nil {
			t.Fatal(err)
		}
	}
	tell(1, 1, "a", "bb", "ccc")
	server.RestoreData(t)
	for began := time.Now(); ; { // until the pool has noticed that its connections are gone
		if _, err := s.Client(t.Context(), "x"); errors.Is(err, store.ErrNotFound) {
			break
		}
		if time.Since(began) > 5*time.Second {
			t.Fatal("the store does not recover")
		}
	}
	tell(2, 1, "ccc", "dddd")
	tell(1, 2, "a", "bb", "ccc")
	report, err := s.Report(t.Context(), store.Query{API: "api", Issuer: "iss", From: day, To: day})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for r, err := range report.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		got[r.Client] = r.Quantity
	}
	if want := map[string]int64{"a": 1, "bb": 2, "ccc": 6, "dddd": 4}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
