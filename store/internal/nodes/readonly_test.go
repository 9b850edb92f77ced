package nodes

import (
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/store/internal/services"
)

// TestS01ReadOnly makes the store refuse writes, as after a failed failover or without
// memory. Reads must work. No credential may be issued that was not stored.
func TestS01ReadOnly(t *testing.T) {
	redis := func(t *testing.T, s *services.Service, command string) {
		t.Helper()
		if reply := redisCommand(t, s, command); !strings.HasPrefix(reply, "+OK") {
			t.Fatalf("%s: %s", command, reply)
		}
	}
	for name, fault := range map[string]struct {
		kind       string
		begin, end func(t *testing.T, s *services.Service)
	}{
		"postgres, read-only": {"postgres",
			func(t *testing.T, s *services.Service) {
				s.SQL(t, s.DSN(), `ALTER ROLE postgres SET default_transaction_read_only = on; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = 'postgres'`)
			},
			func(t *testing.T, s *services.Service) {
				s.SQL(t, s.DSN(), `BEGIN READ WRITE; ALTER ROLE postgres SET default_transaction_read_only = off; COMMIT; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = 'postgres'`)
			},
		},
		"redis, too few replicas": {"redis",
			func(t *testing.T, s *services.Service) { redis(t, s, "CONFIG SET min-replicas-to-write 1") },
			func(t *testing.T, s *services.Service) { redis(t, s, "CONFIG SET min-replicas-to-write 0") },
		},
		"redis, out of memory": {"redis",
			func(t *testing.T, s *services.Service) { redis(t, s, "CONFIG SET maxmemory 1mb") },
			func(t *testing.T, s *services.Service) { redis(t, s, "CONFIG SET maxmemory 0") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kind := servers[fault.kind]
			s := kind.start(t)
			n := newNode(t, kind, s.DSN(), true)
			fill(t, n.db)
			token := mint(t, n)
			fault.begin(t, s)
			eventually(t, 5*time.Second, "refused as ours", func() bool { return ours(n.grant(t)) })
			for range 5 {
				if got := n.grant(t); !ours(got) {
					t.Errorf("the token endpoint: got %q, want AUTH-8", got)
				}
				if got := n.bearer(t, "/asked", token); got != "" {
					t.Errorf("a token that is read: got %q", got)
				}
			}
			fault.end(t, s)
			eventually(t, 5*time.Second, "granted again", func() bool { return n.grant(t) == "" })
		})
	}
}
