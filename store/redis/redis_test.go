package redis_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/authtier/authtier/store/redis"
)

// A log fails the tests if a client writes to the log of the process. Lines about
// sentinels, and about connections that a failover has closed under a command, are
// counted apart, because no setting of the client prevents them.
type log struct{ lines, sentinels atomic.Int32 }

func (l *log) Printf(_ context.Context, format string, v ...any) {
	closed := strings.HasPrefix(format, "Unexpected conn[") && strings.HasSuffix(fmt.Sprintf(format, v...), "CLOSED, closing it")
	if closed || strings.HasPrefix(format, "sentinel: ") {
		l.sentinels.Add(1)
	} else if l.lines.Add(1) <= 10 {
		fmt.Fprintf(os.Stderr, "logged: "+format+"\n", v...)
	}
}

var logged log

func TestMain(m *testing.M) {
	goredis.SetLogger(&logged)
	code := m.Run()
	if logged.lines.Load() > 0 {
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
