package idp_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"strings"
	"testing"

	"github.com/authtier/authtier/middleware/idp"
)

// TestTokenValidatorErrors makes validators of other issuers' tokens with invalid
// arguments. The error must name all of them.
func TestTokenValidatorErrors(t *testing.T) {
	static := func(keys ...idp.Key) func() (any, error) {
		return func() (any, error) {
			ks, err := idp.StaticKeys(keys...)
			return ks, err
		}
	}

	for _, tt := range []struct {
		name        string
		constructor string
		open        func() (any, error)
		wants       []string
	}{

		{"nothing", "StaticKeys", static(), []string{"no key"}},
		{"everything", "StaticKeys", static(
			idp.Key{}, idp.Key{ID: "none", Alg: "none", Public: []byte(strings.Repeat("key-", 8))},
			idp.Key{ID: "nil ES", Alg: "ES256", Public: (*ecdsa.PublicKey)(nil)}, idp.Key{ID: "zero ES", Alg: "ES256", Public: &ecdsa.PublicKey{}},
			idp.Key{ID: "half ES", Alg: "ES256", Public: &ecdsa.PublicKey{Curve: elliptic.P256()}},
			idp.Key{ID: "nil RS", Alg: "RS256", Public: (*rsa.PublicKey)(nil)}, idp.Key{ID: "zero RS", Alg: "RS256", Public: &rsa.PublicKey{}},
			idp.Key{ID: "nil Ed", Alg: "EdDSA", Public: ed25519.PublicKey(nil)}, idp.Key{ID: "unread Ed", Alg: "EdDSA", Public: ed25519.PublicKey(make([]byte, 32))},
			idp.Key{ID: "nil HS", Alg: "HS256", Public: []byte(nil)}, idp.Key{ID: "unread HS", Alg: "HS512", Public: make([]byte, 64)},
			idp.Key{ID: "unread HS", Alg: "HS256", Public: []byte(strings.Repeat("x", 32))},
		), []string{`key ""`, "without an ID", `key "none"`, `key "nil ES"`, `key "zero ES"`, `key "half ES"`, `key "nil RS"`, `key "zero RS"`, `key "nil Ed"`,
			`key "unread Ed": the key for EdDSA is equal bytes`, `key "nil HS"`, `key "unread HS": the key for HS512 is equal bytes`,
			`key "unread HS": the key for HS256 is equal bytes`, `two keys with the ID "unread HS"`}},
	} {
		v, err := tt.open()
		if err == nil || v != nil || !says(err.Error(), tt.constructor, tt.wants...) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s of %s: got %v, %v, want an error that names the constructor and %q", tt.constructor, tt.name, v, err, tt.wants)
		}
	}
}

// says reports whether an error's text names the constructor and all of wants.
func says(text, constructor string, wants ...string) bool {
	for _, want := range wants {
		if !strings.Contains(text, want) {
			return false
		}
	}
	return strings.HasPrefix(text, "idp: "+constructor+": ")
}
