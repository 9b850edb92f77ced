package issuer_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

func TestImport(t *testing.T) {
	db := newStore(t)
	iss := newIssuer(t, db, issuer.Config{})
	own, _ := newAPIKey("app", nil, time.Time{})
	for n, key := range []string{"my_api_key", "sk_live a,b", "authtier_", "authtier_keyring", own, strings.Repeat("x", 8192)} {
		name := fmt.Sprint("imported", n)
		record, err := iss.ImportAPIKey(issuer.ImportedKey{ID: name, Client: "app", Key: key, AllowWeak: true})
		must(t, err)
		must(t, db.CreateAPIKeys(t.Context(), record))
		id, err := iss.Validate(t.Context(), middleware.Credential{Scheme: middleware.SchemeAPIKey, Secret: key})
		if err != nil || id.APIKeyID != name || id.Client != "app" || record.Created.IsZero() {
			t.Errorf("%.30s: got %+v, %v", key, id, err)
		}
	}
	for what, key := range map[string]string{
		"empty": "", "too long": strings.Repeat("x", 8193), "a tab": "a\tb", "not ASCII": "schlüssel", "a line break": "key\n",
		"space before": " hunter2", "space behind": "hunter2 ", "a control character": "a\x7f", "mistyped": mistyped(own), "cut off": own[:len(own)-1],
	} {
		record, err := iss.ImportAPIKey(issuer.ImportedKey{ID: "imported", Client: "app", Key: key, AllowWeak: true})
		if err == nil || record.ID != "" || key != "" && strings.Contains(err.Error(), key) {
			t.Errorf("%s: got %+v, %v, want an error that does not repeat the key", what, record, err)
		}
	}
	for _, names := range [][2]string{{"", "app"}, {"id", ""}} {
		if _, err := iss.ImportAPIKey(issuer.ImportedKey{ID: names[0], Client: names[1], Key: "key", AllowWeak: true}); err == nil {
			t.Errorf("ID %q and client %q: imported", names[0], names[1])
		}
	}
	if _, err := newIssuer(t, nil, issuer.Config{Prefix: "acme"}).ImportAPIKey(issuer.ImportedKey{ID: "id", Client: "app", Key: mistyped(own)}); err != nil {
		t.Errorf("with the prefix of another issuer: %v", err)
	}
}

func TestImportSecret(t *testing.T) {
	db := newStore(t)
	iss := newIssuer(t, db, issuer.Config{})
	for n, secret := range []string{"s", " schlüssel: 100%+& ", strings.Repeat("x", 6000)} {
		record, err := issuer.ImportSecret(issuer.ImportedSecret{ID: fmt.Sprint("imported", n), Secret: secret, AllowWeak: true})
		must(t, err)
		must(t, db.AddSecret(t.Context(), "app", record))
		_, err = iss.Validate(t.Context(), middleware.Credential{Scheme: middleware.SchemeBasic, Username: "app", Secret: secret})
		wantCode(t, "secret "+string(rune('0'+n)), err, 0)
	}
	for what, secret := range map[string]string{"empty": "", "too long": strings.Repeat("x", 6001), "a tab": "a\tb", "not UTF-8": "a\xff"} {
		if record, err := issuer.ImportSecret(issuer.ImportedSecret{ID: "imported", Secret: secret, AllowWeak: true}); err == nil || record.ID != "" || secret != "" && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: got %+v, %v, want an error that does not repeat the secret", what, record, err)
		}
	}
	if _, err := issuer.ImportSecret(issuer.ImportedSecret{Secret: "s", AllowWeak: true}); err == nil {
		t.Error("without an ID: imported")
	}
}

// TestImportTakesNoSecretForAnID swaps the fields, and imports secrets that can be
// guessed.
func TestImportTakesNoSecretForAnID(t *testing.T) {
	iss := newIssuer(t, nil, issuer.Config{})
	const long = "0123456789abcdef"
	for what, k := range map[string]issuer.ImportedKey{
		"ID and key swapped":           {ID: long, Client: "app", Key: "key-1"},
		"15 bytes":                     {ID: "key-1", Client: "app", Key: long[:15]},
		"the key as ID":                {ID: long, Client: "app", Key: long},
		"the key as ID, weak, allowed": {ID: "key-1", Client: "app", Key: "key-1", AllowWeak: true},
	} {
		if record, err := iss.ImportAPIKey(k); err == nil || record.ID != "" {
			t.Errorf("key, %s: imported", what)
		}
		if record, err := issuer.ImportSecret(issuer.ImportedSecret{ID: k.ID, Secret: k.Key, AllowWeak: k.AllowWeak}); err == nil || record.ID != "" {
			t.Errorf("secret, %s: imported", what)
		}
	}
	_, err := iss.ImportAPIKey(issuer.ImportedKey{ID: "key-1", Client: "app", Key: long})
	must(t, err)
	_, err = issuer.ImportSecret(issuer.ImportedSecret{ID: "key-1", Secret: long})
	must(t, err)
}

// TestImportDigest imports a key of which only the SHA-256 digest is known.
func TestImportDigest(t *testing.T) {
	db := newStore(t)
	iss := newIssuer(t, db, issuer.Config{})
	d, err := store.ParseDigest("2C26B46B68FFC68FF99B453C1D30413413422D706483BFA0F98A5E886266E7AE")
	must(t, err)
	must(t, db.CreateAPIKeys(t.Context(), store.APIKey{ID: "digest", Client: "app", Digest: d}))
	wantUse(t, "its key", middleware.Credential{Scheme: middleware.SchemeAPIKey, Secret: "foo"}, 0, iss)
}
