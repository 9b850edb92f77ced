package issuer_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/issuer/internal/secret"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

func TestReplaceWithOverlap(t *testing.T) {
	onHelds(t, func(t *testing.T, h held, db *memory.Store) {
		one, two := newIssuer(t, db, issuer.Config{}), newIssuer(t, db, issuer.Config{})
		defer running(t, one)()
		defer running(t, two)()
		all := []middleware.Validator{cached(t, one), one, cached(t, two), two}
		old, id := h.make(t, one, db, time.Now().Add(4*time.Hour))
		time.Sleep(time.Second)
		wantUse(t, "before", h.credential(old), 0, all...)
		time.Sleep(time.Hour)
		young, newID, err := h.rotate(t.Context(), one, id, 2*time.Hour)
		must(t, err)
		wantUse(t, "the new one, on its own node at once", h.credential(young), 0, all[:2]...)
		for range 2*60 - 1 {
			time.Sleep(time.Minute)
			wantUse(t, "the old one in the overlap", h.credential(old), 0, all...)
			wantUse(t, "the new one in the overlap", h.credential(young), 0, all...)
		}
		ids, ends, _, err := h.list(t.Context(), db)
		must(t, err)
		if n := slices.Index(ids, newID); len(ids) != 2 || n < 0 || !slices.Contains(ids, id) || ends[n].Sub(ends[1-n]) != 2*time.Hour {
			t.Errorf("listed: %v, to expire at %v, want the old one in a minute, and the new one two hours later", ids, ends)
		}
		time.Sleep(2 * time.Minute)
		wantUse(t, "the old one after the overlap", h.credential(old), errorsx.CredentialsIncorrect, all...)
		wantUse(t, "the new one after the overlap", h.credential(young), 0, all...)
		time.Sleep(2 * time.Hour)
		wantUse(t, "the new one at the end of its life", h.credential(young), errorsx.CredentialsIncorrect, all...)
	})
}

func TestEndAtOnce(t *testing.T) {
	onHelds(t, func(t *testing.T, h held, db *memory.Store) {
		one, two := newIssuer(t, db, issuer.Config{}), newIssuer(t, db, issuer.Config{})
		defer running(t, one)()
		defer running(t, two)()
		here, there := []middleware.Validator{cached(t, one), one}, []middleware.Validator{cached(t, two), two}
		old, id := h.make(t, one, db, time.Time{})
		time.Sleep(time.Second)
		wantUse(t, "before", h.credential(old), 0, append(here, there...)...)
		token := mint(t, one, issuer.Grant{Client: "app"}).AccessToken
		young, newID, err := h.rotate(t.Context(), one, id, 0)
		must(t, err)
		wantUse(t, "the old one, replaced here", h.credential(old), errorsx.CredentialsIncorrect, here...)
		wantUse(t, "the new one here", h.credential(young), 0, here...)
		time.Sleep(500 * time.Millisecond)
		wantUse(t, "the old one, replaced elsewhere", h.credential(old), errorsx.CredentialsIncorrect, there...)
		wantUse(t, "the new one elsewhere", h.credential(young), 0, there...)
		must(t, h.revoke(t.Context(), two, newID))
		wantUse(t, "revoked here", h.credential(young), errorsx.CredentialsIncorrect, there...)
		time.Sleep(500 * time.Millisecond)
		wantUse(t, "revoked elsewhere", h.credential(young), errorsx.CredentialsIncorrect, here...)
		if _, code := validate(t, here[0], token); code != 0 {
			t.Errorf("a token of the client: refused with %v", code)
		}
	})
}

// TestNothingOfTheOld disables and deletes the client, and creates it anew.
func TestNothingOfTheOld(t *testing.T) { // T11
	onHelds(t, func(t *testing.T, h held, db *memory.Store) {
		iss := newIssuer(t, db, issuer.Config{})
		defer running(t, iss)()
		both := []middleware.Validator{cached(t, iss), iss}
		secret, id := h.make(t, iss, db, time.Time{})
		disabled := func(is bool) error {
			return db.UpdateClient(t.Context(), "app", func(c *store.Client) error { c.Disabled = is; return nil })
		}
		change := func(what string, err error, want errorsx.Code) {
			t.Helper()
			must(t, err)
			time.Sleep(500 * time.Millisecond)
			wantUse(t, what, h.credential(secret), want, both...)
		}
		change("as it is", nil, 0)
		change("the client disabled", disabled(true), errorsx.CredentialsIncorrect)
		must(t, disabled(false))
		time.Sleep(3 * time.Second) // the cache remembers refusals for two
		change("the client enabled again", nil, 0)
		change("the client deleted", db.DeleteClient(t.Context(), "app"), errorsx.CredentialsIncorrect)
		change("the client created anew", db.CreateClient(t.Context(), store.Client{ID: "app"}), errorsx.CredentialsIncorrect)
		time.Sleep(time.Minute)
		change("a minute later", nil, errorsx.CredentialsIncorrect)
		if _, _, err := iss.RotateAPIKey(t.Context(), id, time.Hour); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("replacing a key of the old client: got %v", err)
		}
		if err := iss.RevokeSecret(t.Context(), "app", id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("revoking a secret of the old client: got %v", err)
		}
	})
}

// TestReplaceUnderLoad replaces keys and secrets repeatedly while all of them are used.
// None is refused during its overlap, and none accepted after it.
func TestReplaceUnderLoad(t *testing.T) {
	onHelds(t, func(t *testing.T, h held, db *memory.Store) {
		type pair struct {
			young, old string
			until      time.Time // when the old one ends
		}
		const overlap = time.Second
		iss := newIssuer(t, db, issuer.Config{})
		defer running(t, iss)()
		cache := cached(t, iss)
		first, id := h.make(t, iss, db, time.Time{})
		var now atomic.Pointer[pair]
		now.Store(&pair{young: first, old: first, until: time.Now().Add(time.Hour)})
		ctx, stop := context.WithCancel(t.Context())
		var load sync.WaitGroup
		for n := range 8 {
			load.Go(func() {
				for ctx.Err() == nil {
					p, want := *now.Load(), errorsx.Code(0)
					if !time.Now().Before(p.until) {
						want = errorsx.CredentialsIncorrect
					}
					wantUse(t, "the new one", h.credential(p.young), 0, cache)
					wantUse(t, "the old one", h.credential(p.old), want, cache)
					time.Sleep(time.Millisecond + time.Duration(n)*time.Microsecond)
				}
			})
		}
		for range 3 {
			old := now.Load().young
			young, newID, err := h.rotate(t.Context(), iss, id, overlap)
			must(t, err)
			id = newID
			now.Store(&pair{young, old, time.Now().Add(overlap)})
			time.Sleep(2 * overlap)
		}
		stop()
		load.Wait()
	})
}

func TestReplaceKeepsWhatLimitsAKey(t *testing.T) {
	db := newStore(t)
	networks := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	must(t, db.UpdateAPIKey(t.Context(), "k1", func(k *store.APIKey) error {
		k.Name, k.Owner, k.Addrs = "reports", "ada", networks
		return nil
	}))
	iss := newIssuer(t, db, issuer.Config{})
	began := time.Now().Add(-time.Second)
	key, record, err := iss.RotateAPIKey(t.Context(), "k1", time.Hour)
	must(t, err)
	if record.Client != "app" || !slices.Equal(record.Scopes, []string{"a"}) || !record.Expires.IsZero() || record.Created.Before(began) {
		t.Errorf("got %+v, want a key of app with scope a, without an end", record)
	}
	stored, err := db.APIKeyByID(t.Context(), record.ID)
	if err != nil || stored.Name != "reports" || stored.Owner != "ada" || !slices.Equal(stored.Addrs, networks) {
		t.Errorf("stored %+v, %v, want the name, owner and networks of the key before", stored, err)
	}
	id, err := iss.Validate(t.Context(), middleware.Credential{Scheme: middleware.SchemeAPIKey, Secret: key})
	if err != nil || id.APIKeyID != record.ID || id.Scopes != "a" || !strings.HasPrefix(key, "authtier_key_"+record.ID+"_") {
		t.Errorf("got %+v, %v", id, err)
	}
	plain, kept, err := iss.RotateSecret(t.Context(), "other", time.Hour)
	must(t, err)
	if !strings.HasPrefix(plain, "authtier_cs_"+kept.ID+"_") || !secret.WellFormed("authtier_cs", plain) || !kept.Expires.IsZero() || kept.Created.IsZero() {
		t.Errorf("got %q and %+v", plain, kept)
	}
}

// minimal is a store with only the methods that an issuer needs.
type minimal struct {
	issuer.Store
	store.Users
}

func TestReplaceRefuses(t *testing.T) {
	ctx, db := t.Context(), newStore(t)
	iss := newIssuer(t, db, issuer.Config{})
	now := time.Now()
	must(t, db.CreateAPIKeys(ctx, store.APIKey{ID: "ends", Client: "app", Digest: store.DigestOf("ends"), Expires: now.Add(time.Hour)}))
	for what, f := range map[string]func(iss *issuer.Issuer) error{
		"RotateAPIKey": func(iss *issuer.Issuer) error { _, _, err := iss.RotateAPIKey(ctx, "k1", -1); return err },
		"RotateSecret": func(iss *issuer.Issuer) error { _, _, err := iss.RotateSecret(ctx, "app", -1); return err },
		"RevokeSecret": func(iss *issuer.Issuer) error { return iss.RevokeSecret(ctx, "app", "") },
	} {
		if err := f(iss); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: got %v, want an error that names it", what, err)
		}
		small := newIssuer(t, minimal{db, db}, issuer.Config{})
		if err := f(small); err == nil || !strings.Contains(err.Error(), "Rotator") {
			t.Errorf("%s with a store that cannot: got %v, want an error that says so", what, err)
		}
	}
	_, _, errKey := iss.RotateAPIKey(ctx, "unknown", 0)
	_, _, errSecret := iss.RotateSecret(ctx, "unknown", 0)
	for what, err := range map[string]error{
		"key": errKey, "client": errSecret, "secret": iss.RevokeSecret(ctx, "app", "unknown"),
	} {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an unknown %s: got %v", what, err)
		}
	}
	if key, record, err := iss.RotateAPIKey(ctx, "ends", 0); err == nil || key != "" || record.ID != "" {
		t.Errorf("a key that ends, of unknown age: got %q, %+v, %v", key, record, err)
	}
	if _, err := db.APIKey(ctx, store.DigestOf("ends")); err != nil {
		t.Errorf("a key that was not replaced: %v", err)
	}
}
