package idp_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/middleware/idp"
)

// TestTokenValidatorErrors makes validators of other issuers' tokens with invalid
// arguments. The error must name all of them.
func TestTokenValidatorErrors(t *testing.T) {
	keys := allKeys(t)
	var noKeys *idp.RemoteKeys
	var noContext context.Context
	jwt := func(keys idp.Keys, change func(*idp.JWTConfig)) func() (any, error) {
		return func() (any, error) {
			cfg := idp.JWTConfig{Issuer: testIssuer, Audience: []string{"a"}}
			change(&cfg)
			v, err := idp.JWT(keys, cfg)
			return v, err
		}
	}
	jwts := func(issuers ...idp.TrustedIssuer) func() (any, error) {
		return func() (any, error) {
			v, err := idp.JWTs(issuers...)
			return v, err
		}
	}
	remote := func(ctx context.Context, url string, cfg idp.RemoteKeysConfig) func() (any, error) {
		return func() (any, error) {
			cfg.AllowEmptyStart, cfg.Log = true, slog.New(slog.DiscardHandler)
			r, err := idp.OpenRemoteKeys(ctx, url, &cfg)
			if r != nil {
				r.Close()
				return r, err
			}
			return nil, err
		}
	}
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
		{"nothing", "JWT", func() (any, error) { return idp.JWT(nil, idp.JWTConfig{}) }, []string{"nil Keys", "no Issuer", "no Audience"}},
		{"everything", "JWT", jwt(noKeys, func(c *idp.JWTConfig) {
			*c = idp.JWTConfig{Issuer: " {tenant}", Audience: []string{"", "a b"}, Types: []string{"at+jwt "}, UserClaim: "iss", Leeway: -1}
		}), []string{"nil Keys", "is a template", `the Issuer " {tenant}" has blanks`, `Audience has ""`, `Audience has "a b"`, `Types have "at+jwt "`,
			`UserClaim is "iss"`, "Leeway is -1ns"}},
		{"a line's end", "JWT", jwt(keys, func(c *idp.JWTConfig) { c.Issuer, c.Audience = "https://id.example\n", []string{"api\n"} }),
			[]string{"the Issuer", "the Audience"}},
		{"an hour", "JWT", jwt(keys, func(c *idp.JWTConfig) { c.Leeway = time.Hour }), []string{"Leeway is 1h"}},
		{"a claim that is a time", "JWT", jwt(keys, func(c *idp.JWTConfig) { c.UserClaim = "exp" }), []string{`UserClaim is "exp"`}},
		{"zero remote keys", "JWT", jwt(&idp.RemoteKeys{}, func(c *idp.JWTConfig) { c.Issuer = "" }), []string{"OpenRemoteKeys", "no Issuer"}},

		{"nothing", "JWTs", jwts(), []string{"no issuer"}},
		{"everything", "JWTs", jwts(trusted(nil, testIssuer), trusted(noKeys, ""), trusted(&idp.RemoteKeys{}, "x"), trusted(keys, otherIssuer), trusted(keys, otherIssuer)),
			[]string{`issuer "` + testIssuer + `": nil Keys`, `issuer "": nil Keys`, "no Issuer", `issuer "x": the Keys are RemoteKeys`, `issuer "` + otherIssuer + `": given twice`}},

		{"nothing", "OpenRemoteKeys", remote(noContext, "", idp.RemoteKeysConfig{}), []string{"nil Context", "expected a URL with a host"}},
		{"everything", "OpenRemoteKeys", remote(t.Context(), "https://u:s3cret@id.example", idp.RemoteKeysConfig{Refresh: -1, MaxAge: -2, Cooldown: 1, Timeout: 5}),
			[]string{"user information", "Refresh is -1ns", "MaxAge is -2ns", "Cooldown is 1ns", "Timeout is 5ns"}},
		{"an age below a refresh", "OpenRemoteKeys", remote(t.Context(), testJWKS, idp.RemoteKeysConfig{Refresh: time.Hour, MaxAge: time.Minute}),
			[]string{"MaxAge is 1m"}},

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
