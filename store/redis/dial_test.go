package redis

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
)

// TestFailoverOptions checks that a sentinel's client never repeats a command and asks
// for the master regularly, whatever the DSN says.
func TestFailoverOptions(t *testing.T) {
	for parameters, want := range map[string]time.Duration{
		"": lifetime, "&conn_max_lifetime=-1": lifetime, "&conn_max_lifetime=1h&conn_max_lifetime_jitter=1h": lifetime,
		"&conn_max_lifetime=5s&max_retries=9&protocol=3&read_timeout=1h&dialer_retries=9": 5 * time.Second,
	} {
		target, err := parseSentinels("redis://127.0.0.1:1/0?master_name=m" + parameters)
		if err != nil {
			t.Fatal(err)
		}
		db := target.client(true).(*redis.Client)
		defer db.Close()
		opt := db.Options()
		if opt.ConnMaxLifetime != want || opt.ConnMaxLifetimeJitter != 0 {
			t.Errorf("%q: connections live %v and %v, want %v", parameters, opt.ConnMaxLifetime, opt.ConnMaxLifetimeJitter, want)
		}
		if opt.MaxRetries != 0 || opt.DialerRetries != 1 || opt.Protocol != 2 || !opt.DisableIdentity || opt.ReadTimeout != timeout || !opt.ContextTimeoutEnabled {
			t.Errorf("%q: got %+v", parameters, opt)
		}
	}
}

// TestQuietRests makes a dial fail slowly. For a second, the client must not dial again.
func TestQuietRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dials := 0
		dial := (&quiet{}).DialHook(func(context.Context, string, string) (net.Conn, error) {
			dials++
			time.Sleep(timeout)
			return nil, errors.New("nobody there")
		})
		for range 10 {
			c, err := dial(t.Context(), "tcp", "192.0.2.1:6379")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Write(nil); err == nil || err.Error() != "nobody there" {
				t.Errorf("got %v", err)
			}
		}
		if dials != 1 {
			t.Errorf("looked for %d times, want once", dials)
		}
		time.Sleep(rest)
		if _, err := dial(t.Context(), "tcp", "192.0.2.1:6379"); err != nil || dials != 2 {
			t.Errorf("a second later: %v, looked for %d times, want twice", err, dials)
		}
	})
}
