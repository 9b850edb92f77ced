package redis

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

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
