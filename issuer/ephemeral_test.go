package issuer_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/authtier/authtier/issuer"
)

// TestNoStartWithKeysThatEndWithTheProcess has a program that loses the errors
// of the seal and of the key set, and looks at the error of New alone.
func TestNoStartWithKeysThatEndWithTheProcess(t *testing.T) {
	db := newStore(t)
	seal, _ := issuer.ReadSeal(filepath.Join(t.TempDir(), "missing"))
	keys, _ := issuer.OpenKeys(t.Context(), db, issuer.StoredKeysConfig{Seal: seal})
	iss, err := issuer.New(t.Context(), issuer.Config{Issuer: testURL, Store: db, Keys: keys})
	if err == nil || iss != nil {
		t.Fatal("the issuer started with a key that ends with the process")
	}
	if !strings.Contains(err.Error(), "Keys") || !strings.Contains(err.Error(), "AllowEphemeralKeys") {
		t.Errorf("the error does not say what is missing: %v", err)
	}

	for name, cfg := range map[string]issuer.Config{
		"ephemeral keys are allowed": {AllowEphemeralKeys: true},
		"opaque tokens":              {OpaqueTokens: true},
	} {
		cfg.Issuer, cfg.Store = testURL, db
		iss, err := issuer.New(t.Context(), cfg)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, code := validate(t, iss, mint(t, iss, issuer.Grant{Client: "app"}).AccessToken); code != 0 {
			t.Errorf("%s: its own token is %v", name, code)
		}
	}
}
