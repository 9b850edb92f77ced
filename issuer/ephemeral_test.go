package issuer_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authtier/authtier/issuer"
)

// TestNoStartWithKeysThatEndWithTheProcess imitates a program that ignores the errors
// of reading the encryption key and of making the key set. New must return an error.
func TestNoStartWithKeysThatEndWithTheProcess(t *testing.T) {
	db := newStore(t)
	key, _ := os.ReadFile(filepath.Join(t.TempDir(), "missing"))
	keys, _ := issuer.NewKeySet(issuer.SigningKey{})
	iss, err := issuer.New(t.Context(), testURL, db, &issuer.Config{EncryptionKey: key, Keys: keys})
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
		iss, err := issuer.New(t.Context(), testURL, db, &cfg)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, code := validate(t, iss, mint(t, iss, issuer.Grant{Client: "app"}).AccessToken); code != 0 {
			t.Errorf("%s: its own token is %v", name, code)
		}
	}
}
