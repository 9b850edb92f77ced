package redis_test

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/authtier/authtier/store/redis"
)

// A log fails the tests if a client writes to the log of the process.
type log struct{ lines atomic.Int32 }

func (l *log) Printf(_ context.Context, format string, v ...any) {
	if l.lines.Add(1) <= 10 {
		fmt.Fprintf(os.Stderr, "logged: "+format+"\n", v...)
	}
}

func TestMain(m *testing.M) {
	var l log
	goredis.SetLogger(&l)
	code := m.Run()
	if l.lines.Load() > 0 {
		code = 1
	}
	os.Exit(code)
}

func open(t *testing.T, dsn string, cfg redis.Config) *redis.Store {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel() // the context bounds the opening alone
	s, err := redis.Open(ctx, dsn, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
