package redis_test

import (
	"context"
	"strings"
	"testing"

	"github.com/authtier/authtier/store/redis"
)

// TestOpenErrors opens invalid DSNs and namespaces. The error must name all faults, and
// never the password. The context has ended, so that no server is asked.
func TestOpenErrors(t *testing.T) {
	var noContext context.Context
	ended, end := context.WithCancel(t.Context())
	end()
	const local, pool = "redis://u:canary@127.0.0.1:1/0", "pool_size=-1&min_idle_conns=-2&max_idle_conns=-3&max_active_conns=-4"
	all := []string{"pool_size is -1", "min_idle_conns is -2", "max_idle_conns is -3", "max_active_conns is -4"}
	for name, tt := range map[string]struct {
		ctx   context.Context
		dsn   string
		cfg   *redis.Config
		wants []string
	}{
		"nothing":          {noContext, "", nil, []string{"redis: nil Context", "scheme"}},
		"a blank":          {ended, " ", nil, []string{"scheme"}},
		"no scheme":        {ended, "localhost", nil, []string{"scheme"}},
		"a colon at most":  {ended, "127.0.0.1:6379", nil, []string{"the DSN is not a URL"}},
		"a garbled escape": {noContext, "redis://u:canary@127.0.0.1/%zz", nil, []string{"nil Context", "the DSN is not a URL"}},
		"no socket":        {ended, "unix://", nil, []string{"socket"}},
		"no address":       {ended, "redis://127.0.0.1:1?addr=", nil, []string{"addr"}},
		"everything": {noContext, "redis://u:canary@192.0.2.1:6379/0?" + pool, &redis.Config{Namespace: "{a}"},
			append([]string{"nil Context", `the Namespace "{a}"`, "192.0.2.1:6379 would be without TLS"}, all...)},
		"everything of a cluster": {ended, "redis://u:canary@192.0.2.1:1?addr=192.0.2.2:2&" + pool, &redis.Config{Namespace: " "},
			append([]string{`the Namespace " "`, "192.0.2.1:1 would be", "192.0.2.2:2 would be"}, all...)},
		"a pool beside what is allowed": {ended, "redis://u:canary@192.0.2.1:6379/0?" + pool, &redis.Config{AllowPlaintext: true, AllowVolatile: true}, all},
		"a huge pool":                   {ended, local + "?pool_size=1000000000000", nil, []string{"pool_size is 1000000000000"}},
		"a long namespace":              {ended, local, &redis.Config{Namespace: strings.Repeat("x", 65)}, []string{"the Namespace"}},
		"a context that has ended":      {ended, local, nil, []string{"canceled"}},
	} {
		s, err := redis.Open(tt.ctx, tt.dsn, tt.cfg)
		if err == nil {
			s.Close()
			t.Errorf("%s: opened", name)
			continue
		}
		for _, want := range tt.wants {
			if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
				t.Errorf("%s: got %q, want %q in it", name, err, want)
			}
		}
	}
}
