package redis_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/authtier/authtier/store/internal/services"
	"github.com/authtier/authtier/store/redis"
)

// TestVersion reads the versions of namespaces of all ages. It must change none of them.
func TestVersion(t *testing.T) {
	s := services.SharedRedis(t)
	db := raw(t, s)
	const known = 2
	for name, tt := range map[string]struct {
		format string // "" if the namespace was never set up, "new" if it was set up just now
		stored int
	}{
		"empty": {"", 0}, "new": {"new", known}, "one version older": {"1", 1},
		"one version newer": {"3", 3}, "two versions newer": {"4", 4},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := redis.Config{Namespace: services.Name()}
			if tt.format != "" {
				open(t, s.DSN(), cfg).Close()
			}
			if tt.format != "" && tt.format != "new" {
				do(t, db, "SET", "{"+cfg.Namespace+"}:format", tt.format)
			}
			before := dump(t, s, cfg.Namespace)

			stored, newest, err := redis.Version(t.Context(), s.DSN(), &cfg)
			if stored != tt.stored || newest != known || err != nil {
				t.Errorf("got %d, %d, %v, want %d, %d", stored, newest, err, tt.stored, known)
			}
			if after := dump(t, s, cfg.Namespace); !maps.Equal(after, before) {
				t.Errorf("the namespace was changed from %v to %v", before, after)
			}
		})
	}
}

// TestVersionRefuses reads the version of namespaces of other programs. No error may contain
// the password.
func TestVersionRefuses(t *testing.T) {
	s := services.SharedRedis(t)
	db := raw(t, s)
	for name, tt := range map[string]struct{ key, value, want string }{
		"other keys":    {"cache:1", "x", "cache:1"},
		"no number":     {"format", "x", "not ours"},
		"format 0":      {"format", "0", "not ours"},
		"empty format":  {"format", "", "not ours"},
		"minus a value": {"format", "-1", "not ours"},
	} {
		cfg := redis.Config{Namespace: services.Name()}
		do(t, db, "SET", "{"+cfg.Namespace+"}:"+tt.key, tt.value)
		before := dump(t, s, cfg.Namespace)
		stored, _, err := redis.Version(t.Context(), s.DSN(), &cfg)
		if stored != 0 || err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "redis: ") {
			t.Errorf("%s: got %d, %v, want an error that says %q", name, stored, err, tt.want)
		}
		if after := dump(t, s, cfg.Namespace); !maps.Equal(after, before) {
			t.Errorf("%s: the namespace was changed from %v to %v", name, before, after)
		}
	}

	for dsn, want := range map[string]string{
		"redis://u:canary@127.0.0.1:1/0": "refused", "redis://u:canary@192.0.2.1/0": "TLS", "redis://u:canary@127.0.0.1/x": "database", "": "scheme",
	} {
		if _, _, err := redis.Version(t.Context(), dsn, nil); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: got %v, want an error that says %q", dsn, err, want)
		}
	}
	if _, _, err := redis.Version(t.Context(), s.DSN(), &redis.Config{Namespace: "a b"}); err == nil || !strings.Contains(err.Error(), "Namespace") {
		t.Errorf("a wrong namespace: got %v", err)
	}
}
