package admin

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// TestSigningKeyStates describes keys in all states.
func TestSigningKeyStates(t *testing.T) {
	now := time.Now()
	ago, soon := now.Add(-time.Hour), now.Add(time.Hour)
	for _, tt := range []struct {
		name string
		keys []store.SigningKey
		want []string
	}{
		{"none", nil, nil},
		{"the first", []store.SigningKey{{ID: "a", Signs: ago}}, []string{"signing"}},
		{"published", []store.SigningKey{{ID: "a", Signs: ago}, {ID: "b"}}, []string{"signing", "waiting"}},
		{"rotated", []store.SigningKey{{ID: "a", Signs: ago, Ends: soon}, {ID: "b", Signs: now}}, []string{"replaced", "signing"}},
		{"rotated just now", []store.SigningKey{{ID: "a", Signs: ago}, {ID: "b", Signs: now}}, []string{"replaced", "signing"}},
		{"never signed", []store.SigningKey{{ID: "a", Ends: soon}, {ID: "b", Signs: now}}, []string{"replaced", "signing"}},
		{"revoked", []store.SigningKey{{ID: "a", Signs: now, Ends: ago}, {ID: "b", Signs: ago}}, []string{"ended", "signing"}},
	} {
		var got []string
		for _, v := range viewSigningKeys(tt.keys, now) {
			got = append(got, v.State)
			if v.means() == "" {
				t.Errorf("%s: %s has no explanation", tt.name, v.State)
			}
		}
		if strings.Join(got, " ") != strings.Join(tt.want, " ") {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestSigningKeys lists, rotates and revokes keys.
func TestSigningKeys(t *testing.T) {
	b := newBox(t)
	none := filepath.Join(t.TempDir(), "auth.key")
	open := filepath.Join(t.TempDir(), "open.key")
	must(t, os.WriteFile(open, nil, 0o644))
	b.fails(1, "chmod 600", "signing-key", "rotate", "--key-file", open)
	b.fails(1, "no signing key", "signing-key", "revoke", "x", "--key-file", none)
	b.noKeys(none)

	iss, keyFile := b.server(false)
	iss.Close()
	b.fails(1, "does not exist: copy the file", "signing-key", "rotate", "--key-file", none)
	states := func() (ids []string, states string) {
		t.Helper()
		var views []signingKeyView
		out := b.ok("signing-key", "list", "--output", "json")
		must(t, json.Unmarshal([]byte(out), &views))
		if strings.Contains(out, "ealed") {
			t.Errorf("the encrypted key is shown: %s", out)
		}
		for _, v := range views {
			ids, states = append(ids, v.ID), states+" "+v.State
		}
		return ids, states
	}
	if _, got := states(); got != " signing" {
		t.Errorf("at first: %s", got)
	}

	v := b.json("signing-key", "rotate", "--key-file", keyFile)
	ids, got := states()
	if got != " signing waiting" || v["id"] != ids[1] || v["state"] != "waiting" || v["alg"] != "ES256" || v["signs"] != nil {
		t.Errorf("rotated: %s, printed %v", got, v)
	}
	b.ok("signing-key", "revoke", ids[0], "--key-file", keyFile)
	if ids, got := states(); got != " ended waiting signing" {
		t.Errorf("revoked: %s %v", got, ids)
	}
	if out := b.ok("signing-key", "revoke", ids[0], "--key-file", keyFile); !strings.Contains(out, "had ended before") {
		t.Errorf("revoked twice: %s", out)
	}
	b.fails(1, "does not exist", "signing-key", "revoke", "x", "--key-file", keyFile)
	if out := b.ok("signing-key", "list"); !strings.Contains(out, "signs and verifies tokens") {
		t.Errorf("listed as %s", out)
	}
}

// TestSigningKeyReset loses the key file. The store can be used again after a reset, and
// tokens of the old keys are refused.
func TestSigningKeyReset(t *testing.T) {
	b := newBox(t)
	iss, keyFile := b.server(false)
	secret, err := iss.CreateClient(t.Context(), store.Client{ID: "acme", Scopes: []string{"a"}, Default: []string{"a"}, Grants: []string{store.GrantClientCredentials}})
	must(t, err)
	tokens, err := iss.Mint(t.Context(), issuer.Grant{Client: "acme"})
	must(t, err)
	iss.Close()

	b.fails(1, "rename it", "signing-key", "reset", "--key-file", keyFile)
	must(t, os.Rename(keyFile, keyFile+".old"))
	b.fails(1, "does not exist", "signing-key", "rotate", "--key-file", keyFile)
	if v := b.json("signing-key", "reset", "--key-file", keyFile); v["state"] != "signing" {
		t.Errorf("reset: %v", v)
	}

	iss, err = issuer.Open(t.Context(), iss.URL(), b.open(), &issuer.Config{KeyFile: keyFile})
	must(t, err)
	defer iss.Close()
	if _, err := iss.InspectAccess(t.Context(), tokens.AccessToken); err == nil {
		t.Error("a token of the old key is accepted")
	}
	if tokens, err = iss.Mint(t.Context(), issuer.Grant{Client: "acme"}); err == nil {
		_, err = iss.InspectAccess(t.Context(), tokens.AccessToken)
	}
	must(t, err)
	_, err = iss.Validate(t.Context(), middleware.Credential{Scheme: middleware.SchemeBasic, Username: "acme", Secret: secret})
	must(t, err)
}
