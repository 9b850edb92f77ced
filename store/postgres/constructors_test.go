package postgres_test

import (
	"context"
	"strings"
	"testing"

	"github.com/authtier/authtier/store/postgres"
)

// TestOpenErrors opens invalid connection strings. The error must name all faults, and
// never the password. The context has ended, so that no server is asked.
func TestOpenErrors(t *testing.T) {
	var noContext context.Context
	ended, end := context.WithCancel(t.Context())
	end()
	const local, elsewhere = "postgres://u:hunter2@127.0.0.1:1/d?sslmode=disable", "postgres://u:hunter2@192.0.2.1,192.0.2.2/d?sslmode=disable"
	for name, tt := range map[string]struct {
		ctx   context.Context
		dsn   string
		wants []string
	}{
		"nothing":              {noContext, "", []string{"postgres: nil Context", "dsn is blank"}},
		"no string":            {ended, "", []string{"postgres: dsn is blank"}},
		"a blank":              {ended, " \n", []string{"postgres: dsn is blank"}},
		"no context":           {noContext, local, []string{"nil Context"}},
		"a garbled port":       {noContext, "postgres://u:hunter2@127.0.0.1:port/d", []string{"nil Context", "invalid port"}},
		"another database":     {ended, "mysql://u:hunter2@127.0.0.1/d", []string{"cannot parse"}},
		"an @ in the password": {ended, "postgres://u:hunt@er2@db.invalid/d?sslmode=verify-full", []string{"the DSN has an @ at the wrong place"}},
		"no pairs":             {ended, "hunter2", []string{"dsn is not understood"}},
		"no connections":       {ended, local + "&pool_max_conns=0", []string{"pool_max_conns"}},
		"a negative number":    {ended, local + "&pool_max_conns=-1", []string{"pool_max_conns"}},
		"no health checks":     {ended, local + "&pool_health_check_period=0s", []string{"pool_health_check_period is 0s"}},
		"a short check":        {ended, local + "&pool_health_check_period=1ns", []string{"pool_health_check_period is 1ns"}},
		"a negative timeout":   {ended, local + "&connect_timeout=-1", []string{"timeout"}},
		"everything": {ended, elsewhere + "&pool_health_check_period=-1s&pool_max_conn_lifetime=-2s&pool_max_conn_lifetime_jitter=-3s&pool_max_conn_idle_time=-4s",
			[]string{"192.0.2.1 may be without TLS", "192.0.2.2 may be without TLS", "pool_health_check_period is -1s", "pool_max_conn_lifetime is -2s",
				"pool_max_conn_lifetime_jitter is -3s", "pool_max_conn_idle_time is -4s"}},
	} {
		for _, cfg := range []*postgres.Config{nil, {}} {
			s, err := postgres.Open(tt.ctx, tt.dsn, cfg)
			if err == nil {
				s.Close()
				t.Errorf("%s: opened", name)
				continue
			}
			for _, want := range tt.wants {
				if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "er2@") {
					t.Errorf("%s: got %q, want %q in it", name, err, want)
				}
			}
		}
	}

	// What is allowed does not hide the other faults.
	_, err := postgres.Open(ended, elsewhere+"&pool_health_check_period=0s", &postgres.Config{AllowPlaintext: true, AllowVolatile: true})
	if err == nil || !strings.Contains(err.Error(), "pool_health_check_period") || strings.Contains(err.Error(), "TLS") {
		t.Errorf("plaintext is allowed: got %v", err)
	}
}
