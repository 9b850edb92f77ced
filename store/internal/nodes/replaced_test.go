package nodes

import (
	"testing"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// TestReplacedOnAnother replaces an API key and a client's secrets on one node. The caches
// of the other node must refuse the old ones within a second. The times of their last use
// must be stored when the nodes stop.
func TestReplacedOnAnother(t *testing.T) {
	onServers(t, func(t *testing.T, kind server) {
		s := kind.start(t)
		one, two := newNode(t, kind, s.DSN(), false), newNode(t, kind, s.DSN(), false)
		fill(t, one.db)
		cache, err := middleware.NewCache(two.iss, 100, nil)
		must(t, err)
		code := func(c middleware.Credential) errorsx.Code {
			if _, err := cache.Validate(t.Context(), c); err != nil {
				return errorsx.From(err).Code
			}
			return 0
		}
		key := func(secret string) middleware.Credential {
			return middleware.Credential{Scheme: middleware.SchemeAPIKey, Secret: secret}
		}
		secret := func(secret string) middleware.Credential {
			return middleware.Credential{Scheme: middleware.SchemeBasic, Username: "app", Secret: secret}
		}
		olds := map[string]middleware.Credential{"key": key("key"), "secret": secret("app-secret")}
		for what, old := range olds {
			if got := code(old); got != 0 {
				t.Fatalf("the %s before: %v", what, got)
			}
		}
		youngKey, keyRecord, err := one.iss.RotateAPIKey(t.Context(), "k", 0)
		must(t, err)
		youngSecret, secretRecord, err := one.iss.RotateSecret(t.Context(), "app", 0)
		must(t, err)
		replaced := time.Now()
		for what, old := range olds {
			eventually(t, time.Second-time.Since(replaced), "the old "+what+" refused", func() bool { return code(old) == errorsx.CredentialsIncorrect })
		}
		for what, young := range map[string]middleware.Credential{"key": key(youngKey), "secret": secret(youngSecret)} {
			if got := code(young); got != 0 {
				t.Errorf("the new %s: %v", what, got)
			}
		}
		two.stop()
		k, err := one.db.APIKeyByID(t.Context(), keyRecord.ID)
		must(t, err)
		secrets, err := one.db.SecretsOf(t.Context(), "app")
		must(t, err)
		if len(secrets) != 1 || secrets[0].ID != secretRecord.ID || secrets[0].LastUsed.IsZero() || k.LastUsed.IsZero() {
			t.Errorf("when the node has ended: %+v and %+v, want both used", k, secrets)
		}
	})
}
