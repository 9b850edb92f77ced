package postgres_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/store/internal/services"
	"github.com/authtier/authtier/store/postgres"
)

// TestS02Volatile opens databases of servers that may lose acknowledged writes.
func TestS02Volatile(t *testing.T) {
	durable, volatile := services.Postgres(t, "fsync=on"), services.SharedPostgres(t) // the shared one has fsync off
	for name, tt := range map[string]struct {
		dsn   string
		wants []string // in the error; none if there is no error
	}{
		"durable":                   {durable.DSN(), nil},
		"commits are local":         {durable.DSN() + "&synchronous_commit=local", nil},
		"commits are not awaited":   {durable.DSN() + "&synchronous_commit=off", []string{"synchronous_commit"}},
		"nothing is synced":         {volatile.DSN(), []string{"fsync"}},
		"neither synced nor waited": {volatile.Database(t, "") + "&synchronous_commit=off", []string{"fsync", "synchronous_commit"}},
	} {
		s, err := postgres.Open(t.Context(), tt.dsn, nil)
		if err == nil {
			s.Close()
		}
		if (err == nil) != (tt.wants == nil) {
			t.Errorf("%s: got %v", name, err)
		}
		for _, want := range tt.wants {
			if err != nil && (!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "allow volatile")) {
				t.Errorf("%s: got %v, want an error that says %q and how to allow it", name, err, want)
			}
		}
		s, err = postgres.Open(t.Context(), tt.dsn, &postgres.Config{AllowVolatile: true})
		if err != nil {
			t.Errorf("%s, allowed: %v", name, err)
			continue
		}
		s.Close()
	}

	// A refusal writes nothing.
	dsn := volatile.Database(t, "")
	if _, err := postgres.Open(t.Context(), dsn, nil); err == nil {
		t.Error("opened")
	}
	if tables := volatile.SQL(t, dsn, `SELECT count(*) FROM pg_tables WHERE tablename LIKE 'authtier%'`); tables != "0" {
		t.Errorf("there are %s tables after a refusal, want none", tables)
	}
}

// TestS02Plaintext opens databases on other machines, to which nothing may be sent without
// TLS. The addresses are reserved for documentation, so that no server answers.
func TestS02Plaintext(t *testing.T) {
	for dsn, refused := range map[string]bool{
		"postgres://u:hunter2@192.0.2.1/d":                                                  true, // the default falls back to plaintext
		"postgres://u:hunter2@192.0.2.1/d?sslmode=disable":                                  true,
		"postgres://u:hunter2@192.0.2.1/d?sslmode=allow":                                    true,
		"postgres://u:hunter2@127.0.0.1:1,192.0.2.1:5432/d?sslmode=disable":                 true,
		"host=db.invalid user=u password=hunter2 dbname=d":                                  true,
		"postgres://u:hunter2@192.0.2.1/d?sslmode=require&connect_timeout=1":                false,
		"postgres://u:hunter2@192.0.2.1/d?sslmode=verify-full&connect_timeout=1":            false,
		"postgres://u:hunter2@127.0.0.1:1/d?sslmode=disable":                                false,
		"postgres://u:hunter2@[::1]:1/d?sslmode=disable":                                    false,
		"postgres://u:hunter2@localhost:1/d":                                                false,
		"host=/nowhere user=u password=hunter2 dbname=d":                                    false,
		"postgres://u:hunter2@[::1]:1,localhost:1/d?sslmode=disable&host=/nowhere,/nowhere": false,
	} {
		for _, allowed := range []bool{false, true} {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			_, err := postgres.Open(ctx, dsn, &postgres.Config{AllowPlaintext: allowed})
			cancel()
			if err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Fatalf("%s: got %v", dsn, err)
			}
			if says := strings.Contains(err.Error(), "without TLS"); says != (refused && !allowed) {
				t.Errorf("%s, allowed %t: got %v", dsn, allowed, err)
			}
		}
	}
}
