package transport_test

import (
	"testing"

	"github.com/authtier/authtier/store/internal/transport"
)

func TestIsLocal(t *testing.T) {
	for host, want := range map[string]bool{
		"127.0.0.1": true, "127.9.9.9": true, "::1": true, "[::1]": true, "::ffff:127.0.0.1": true, "localhost": true, "LocalHost": true,
		"/var/run/postgresql": true, "@socket": true,
		"": false, "10.0.0.1": false, "0.0.0.0": false, "::": false, "::ffff:10.0.0.1": false, "db.example.com": false,
		"localhost.example.com": false, "127.0.0.1.example.com": false, "127.1": false, "redis": false, "./socket": false,
	} {
		if got := transport.IsLocal(host); got != want {
			t.Errorf("%q: got %t, want %t", host, got, want)
		}
	}
}
