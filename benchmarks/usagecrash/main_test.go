package main

import (
	"os"
	"strings"
	"testing"
)

func TestMain(m *testing.M) {
	if os.Getenv(siteVariable) != "" {
		main()
	}
	os.Exit(m.Run())
}

// TestKills kills a few servers, on the stores that need no database server.
func TestKills(t *testing.T) {
	for name, cfg := range map[string]config{
		"memory": {store: "memory", cut: true}, "sqlite": {store: "sqlite"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg.kills, cfg.clients = 5, 3
			var out strings.Builder
			if err := run(t.Context(), &out, cfg); err != nil {
				t.Errorf("%v\n%s", err, &out)
			}
			if n := strings.Count(out.String(), "| yes |"); n != 6 {
				t.Errorf("%d counts held, want 6:\n%s", n, &out)
			}
		})
	}
}
