package redis_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/faultproxy"
	"github.com/authtier/authtier/store/internal/services"
	"github.com/authtier/authtier/store/redis"
)

// TestRefused uses a server that refuses connections. The errors must say so and name its
// address, and nothing may be logged (see TestMain). When the server works, the first call
// must succeed.
func TestRefused(t *testing.T) {
	s := services.SharedRedis(t)
	for name, dsn := range map[string]func(addr string) string{
		"server": func(addr string) string { return services.At(s.DSN(), addr) },
		"database": func(addr string) string { // selecting it is the first command
			return strings.TrimSuffix(services.At(s.DSN(), addr), "/0") + "/1"
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := faultproxy.New(t, s.Addr())
			h := open(t, dsn(p.Addr()), redis.Config{Namespace: services.Name()})
			prepare(t, h)
			p.Refuse()
			p.Disconnect()
			h.Token(t.Context(), store.DigestOf("one")) // uses up a connection that has ended
			for range 100 {
				_, err := h.Token(t.Context(), store.DigestOf("one"))
				if dial, ok := errors.AsType[*net.OpError](err); !ok || dial.Op != "dial" || !strings.Contains(err.Error(), p.Addr()) {
					t.Fatalf("got %v, want an error that names the address", err)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := h.Hint(ctx, func() {}); err == nil {
				t.Error("hints from a server that refuses connections")
			}
			p.Admit(t)
			if _, err := h.Token(t.Context(), store.DigestOf("one")); err != nil {
				t.Errorf("after it: %v", err)
			}
		})
	}
}
