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

func TestCheckPassword(t *testing.T) {
	for dsn, want := range map[string]bool{
		"postgres://u:secret@db:5432/d?sslmode=disable": true, "redis://:secret@127.0.0.1:6379/0": true, "postgres://db/d": true,
		"postgres://u:s%40cret@db/d": true, "host=@socket user=u password=a@b": true, "redis://db?addr=other:1": true, "": true,
		"redis://db?password=a@b": true, "postgres://u:secret@db/d?application_name=a@b": true, "postgres://db/d?user=a@b": true,
		"postgres://u:s@cret@db/d": false, "postgres://u:12/cret@db/d": false, "postgres://u:/cret@db/d": false,
		"redis://u:12?cret@db": false, "redis://u:12#cret@db@x": false,
	} {
		if err := transport.CheckPassword(dsn); (err == nil) != want {
			t.Errorf("%s: got %v", dsn, err)
		}
	}
}
