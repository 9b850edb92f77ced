package issuer_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/issuer/internal/secret"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

// A held is a credential that client app authenticates with.
type held struct {
	make       func(t *testing.T, iss *issuer.Issuer, db *memory.Store, expires time.Time) (secret, id string)
	credential func(secret string) middleware.Credential
	rotate     func(ctx context.Context, iss *issuer.Issuer, id string, overlap time.Duration) (secret, newID string, err error)
	revoke     func(ctx context.Context, iss *issuer.Issuer, id string) error
	list       func(ctx context.Context, db *memory.Store) (ids []string, ends, used []time.Time, err error)
}

var helds = map[string]held{
	"API key": {
		make: func(t *testing.T, iss *issuer.Issuer, db *memory.Store, expires time.Time) (string, string) {
			key, record := newAPIKey("app", []string{"a", "b"}, expires)
			must(t, db.CreateAPIKeys(t.Context(), record))
			must(t, iss.RevokeAPIKey(t.Context(), "k1"))
			return key, record.ID
		},
		credential: func(key string) middleware.Credential {
			return middleware.Credential{Scheme: middleware.SchemeAPIKey, Secret: key}
		},
		rotate: func(ctx context.Context, iss *issuer.Issuer, id string, overlap time.Duration) (string, string, error) {
			key, record, err := iss.RotateAPIKey(ctx, id, overlap)
			return key, record.ID, err
		},
		revoke: func(ctx context.Context, iss *issuer.Issuer, id string) error { return iss.RevokeAPIKey(ctx, id) },
		list: func(ctx context.Context, db *memory.Store) (ids []string, ends, used []time.Time, err error) {
			ks, err := db.ListAPIKeys(ctx, "app", "", 1000)
			for _, k := range ks {
				ids, ends, used = append(ids, k.ID), append(ends, k.Expires), append(used, k.LastUsed)
			}
			return ids, ends, used, err
		},
	},
	"secret": {
		make: func(t *testing.T, iss *issuer.Issuer, db *memory.Store, expires time.Time) (string, string) {
			secret, record := newSecret()
			record.Expires = expires
			must(t, db.ReplaceSecrets(t.Context(), "app", record, time.Now()))
			return secret, record.ID
		},
		credential: func(secret string) middleware.Credential {
			return middleware.Credential{Scheme: middleware.SchemeBasic, Username: "app", Secret: secret}
		},
		rotate: func(ctx context.Context, iss *issuer.Issuer, id string, overlap time.Duration) (string, string, error) {
			secret, record, err := iss.RotateSecret(ctx, "app", overlap)
			return secret, record.ID, err
		},
		revoke: func(ctx context.Context, iss *issuer.Issuer, id string) error {
			return iss.RevokeSecret(ctx, "app", id)
		},
		list: func(ctx context.Context, db *memory.Store) (ids []string, ends, used []time.Time, err error) {
			secrets, err := db.SecretsOf(ctx, "app")
			for _, s := range secrets {
				ids, ends, used = append(ids, s.ID), append(ends, s.Expires), append(used, s.LastUsed)
			}
			return ids, ends, used, err
		},
	},
}

// onHelds runs a test for each held, in a bubble with its own clock.
func onHelds(t *testing.T, test func(t *testing.T, h held, db *memory.Store)) {
	for name, h := range helds {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, h, newStore(t)) })
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// cached returns a cache in front of an issuer.
func cached(t *testing.T, iss *issuer.Issuer) *middleware.Cache {
	t.Helper()
	c, err := middleware.NewCache(iss, 64, nil)
	must(t, err)
	return c
}

// wantUse checks how several validators answer a credential.
func wantUse(t *testing.T, what string, c middleware.Credential, want errorsx.Code, vs ...middleware.Validator) {
	t.Helper()
	for n, v := range vs {
		id, err := v.Validate(t.Context(), c)
		if got := codeOf(err); got != want {
			t.Errorf("%s, validator %d: got %v (%v), want %v", what, n, got, err, want)
		}
		if want == 0 && (id == nil || id.Client != "app") {
			t.Errorf("%s, validator %d: got %+v, want client app", what, n, id)
		}
	}
}

// hear lets an issuer read the store's changes, as Run does.
func hear(t testing.TB, iss *issuer.Issuer) error {
	t.Helper()
	return iss.RevokeSession(t.Context(), strings.Repeat("0", 32)) // no session has this ID, so it only reads the changes
}

// revokeBehind revokes in the store, as another program would, and lets the issuer read
// the change.
func revokeBehind(t testing.TB, iss *issuer.Issuer, db store.Changes, cs ...store.Change) error {
	t.Helper()
	if err := db.Revoke(t.Context(), cs...); err != nil {
		return err
	}
	return hear(t, iss)
}

// newAPIKey returns an API key as an issuer generates it, and its record.
func newAPIKey(client string, scopes []string, expires time.Time) (string, store.APIKey) {
	id, key := secret.GenerateWithID("authtier_key")
	return key, store.APIKey{
		ID: id, Client: client, Digest: store.DigestOf(key), Scopes: scopes, Expires: expires,
		Created: time.Now().UTC().Truncate(time.Microsecond),
	}
}

// newSecret returns a client secret as an issuer generates it, and its record.
func newSecret() (string, store.Secret) {
	id, plain := secret.GenerateWithID("authtier_cs")
	return plain, store.Secret{ID: id, Digest: store.DigestOf(plain), Created: time.Now().UTC().Truncate(time.Microsecond)}
}
