package idp_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
	"github.com/authtier/authtier/middleware/idp/idptest"
)

// FuzzClaims signs arbitrary payloads. None may panic, and one that is admitted must
// follow the rules: the issuer, the audience, the times, the client and scopes that are
// scope tokens.
func FuzzClaims(f *testing.F) {
	for _, name := range idptest.Names() {
		fake := idptest.New(f, name)
		for _, shape := range fake.Shapes() {
			signed := fake.Token(f, shape, members{"iss": "https://id.example", "aud": "api", "exp": time.Now().Unix() + 3600})
			f.Add(string(mustDecode(f, strings.Split(signed, ".")[1])))
		}
	}
	f.Add(`{"iss":"https://id.example","aud":["api"],"exp":99999999999,"a":{"b":{"c":["x"]}},"scope":{"x":true}}`)
	v := verifier(f, plain(f, "EdDSA", func(c *idp.Config) {
		c.Scopes = []string{"scope", "scp", "roles", "/a/b/c", "/realm_access/roles"}
		c.ClientToken = func(c idp.Claims) bool { return c.Text("gty") == "cc" || len(c.List("/a/b/c")) > 3 || c.Has("/x/y") }
	}))

	f.Fuzz(func(t *testing.T, payload string) {
		id, err := v.Validate(t.Context(), token(sign(t, "EdDSA", headerOf(nil), payload)))
		if err != nil {
			if code := errorsx.From(err).Code; code.IsServerError() {
				t.Errorf("%s: %v", payload, err)
			}
			return
		}

		var claims struct {
			Issuer string          `json:"iss"`
			Aud    json.RawMessage `json:"aud"`
			Exp    float64         `json:"exp"`
		}
		if err := json.Unmarshal([]byte(payload), &claims); err != nil {
			t.Fatalf("admitted %s: %v", payload, err)
		}
		switch {
		case claims.Issuer != "https://id.example", !strings.Contains(string(claims.Aud), "api") && !strings.Contains(string(claims.Aud), `\u`):
			t.Errorf("admitted %s of another issuer or audience", payload)
		case int64(claims.Exp) < time.Now().Add(-time.Minute).Unix():
			t.Errorf("admitted %s, which has expired", payload)
		case id.Client == "" && id.User == "", !id.Scopes.Valid():
			t.Errorf("admitted %s as %+v", payload, id)
		case id.Methods != middleware.ByToken || id.SigningKeyID == "" || id.Expires.IsZero():
			t.Errorf("admitted %s as %+v", payload, id)
		}
	})
}

// FuzzMetadata tests that no metadata makes Open panic, or use keys of another issuer.
func FuzzMetadata(f *testing.F) {
	f.Add(metadata(nil))
	f.Add(metadata(members{"issuer": "https://evil.example"}))
	f.Add(`{"keys":[]}`)
	f.Add("<html>")
	f.Add(`{"issuer":"https://id.example/realm","jwks_uri":"https://evil.example/jwks"}`)
	f.Fuzz(func(t *testing.T, body string) {
		s := &site{pages: map[string]string{oidcAt: body, jwksAt: jwks(jwkOf(t, "EdDSA", members{"kid": "k1"}))}}
		v, err := idp.Open(t.Context(), remoteConfig(s))
		if err != nil {
			if strings.Contains(err.Error(), "panicked") {
				t.Error(err)
			}
			return
		}
		defer v.Close()
		if !strings.Contains(body, "id.example") && !strings.Contains(body, `\u`) {
			t.Errorf("opened with the metadata %q", body)
		}
	})
}
