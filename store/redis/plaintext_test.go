package redis_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/store/internal/services"
	"github.com/authtier/authtier/store/redis"
)

// TestS02Plaintext opens servers on other machines, to which nothing may be sent without
// TLS. The addresses are reserved for documentation, so that no server answers.
func TestS02Plaintext(t *testing.T) {
	for dsn, refused := range map[string]bool{
		"redis://u:hunter2@192.0.2.1:6379/0":                                               true,
		"redis://u:hunter2@192.0.2.1":                                                      true,
		"redis://u:hunter2@redis.invalid:6379/0":                                           true,
		"redis://u:hunter2@0.0.0.0:1/0":                                                    true,
		"redis://u:hunter2@127.0.0.1:1?addr=127.0.0.1:1&addr=192.0.2.1:6379":               true,
		"rediss://u:hunter2@192.0.2.1:6379/0":                                              false,
		"rediss://u:hunter2@192.0.2.1:6379?addr=192.0.2.2:6379":                            false,
		"redis://u:hunter2@127.0.0.1:1/0":                                                  false,
		"redis://u:hunter2@[::1]:1/0":                                                      false,
		"redis://u:hunter2@localhost:1/0":                                                  false,
		"redis://u:hunter2@127.0.0.1:1?addr=127.0.0.1:1&addr=[::1]:1":                      false,
		"redis://u:hunter2@192.0.2.1:26379/0?master_name=m":                                true,
		"redis://u:hunter2@127.0.0.1:1/0?master_name=m&addr=192.0.2.1:1":                   true,
		"redis://u:hunter2@127.0.0.1:1/0?master_name=m&password=hunter2&username=192":      false,
		"rediss://u:hunter2@192.0.2.1:26379/0?master_name=m&password=hunter2":              false,
		"unix://u:hunter2@/nowhere/redis.sock?db=0":                                        false,
		"redis://u:hunter2@127.0.0.1:1/0?client_name=192.0.2.1&dial_timeout=1s&protocol=2": false,
	} {
		for _, allowed := range []bool{false, true} {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			_, err := redis.Open(ctx, dsn, &redis.Config{AllowPlaintext: allowed})
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

// TestS02PlaintextCluster opens a cluster on this machine whose node reports the address of
// another machine.
func TestS02PlaintextCluster(t *testing.T) {
	s := services.Redis(t, "cluster-enabled=yes", "cluster-announce-ip=192.0.2.1")
	do(t, raw(t, s), "CLUSTER", "ADDSLOTSRANGE", 0, 16383)
	for _, allowed := range []bool{false, true} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err := redis.Open(ctx, "redis://"+s.Addr()+"?addr="+s.Addr(), &redis.Config{AllowPlaintext: allowed})
		cancel()
		if err == nil || strings.Contains(err.Error(), "192.0.2.1:"+port(s)+" would be without TLS") == allowed {
			t.Errorf("allowed %t: got %v", allowed, err)
		}
	}
}

// TestS02PlaintextSentinel opens a master for which a sentinel on this machine reports the
// address of another machine.
func TestS02PlaintextSentinel(t *testing.T) {
	s := services.Sentinel(t, nil)
	do(t, raw(t, s), "SENTINEL", "MONITOR", "m", "192.0.2.1", "6379", 1)
	for _, allowed := range []bool{false, true} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err := redis.Open(ctx, "redis://"+s.Addr()+"/0?master_name=m", &redis.Config{AllowPlaintext: allowed})
		cancel()
		if err == nil || strings.Contains(err.Error(), "192.0.2.1:6379 would be without TLS") == allowed {
			t.Errorf("allowed %t: got %v", allowed, err)
		}
	}
}

func port(s *services.Service) string {
	_, port, _ := net.SplitHostPort(s.Addr())
	return port
}
