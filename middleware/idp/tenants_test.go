package idp_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware/idp"
)

// TestOtherTenant tests that the refusal of another tenant's token names the tenant and
// the setting, and that no key is looked for.
func TestOtherTenant(t *testing.T) {
	v := verifier(t, plain(t, "EdDSA", func(c *idp.Config) {
		c.Issuers, c.Tenants = []string{"https://login.example/{tenant}/v2.0"}, []string{"one"}
	}))
	long := strings.Repeat("x", 65)
	for tenant, want := range map[string]string{
		"two": `tenant in claim "iss": expected one of the configured tenants, found "two" (see Tenants)`,
		long:  `tenant in claim "iss": expected one of the configured tenants, found "` + long[:64] + `"... (see Tenants)`,
		// This is no tenant, so the issuer is unknown.
		"a/b": `claim "iss": expected "https://login.example/{tenant}/v2.0", found "https://login.example/a/b/v2.0" (see Issuers)`,
	} {
		claims := claimsOf(members{"iss": "https://login.example/" + tenant + "/v2.0", "tid": tenant})
		_, err := v.Validate(t.Context(), token(sign(t, "ES256", headerOf(members{"alg": "ES256", "kid": "unknown"}), claims)))
		if !errors.Is(err, errorsx.UnknownToken) || errorsx.From(err).Err.Error() != want {
			t.Errorf("%q: got %v, want AUTH-12 and %s", tenant, err, want)
		}
	}
}
