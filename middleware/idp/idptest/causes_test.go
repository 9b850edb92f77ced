package idptest_test

import (
	"strings"
	"testing"

	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp/idptest"
)

// TestPresetCauses tests that the cause of a refusal says what to do about it at that
// provider.
func TestPresetCauses(t *testing.T) {
	for _, tt := range []struct{ provider, token, want string }{
		{"Entra", "ID token without nonce and at_hash", `claim "azp": expected this claim or appid, one of which every access token has, found nothing (see AllowIDTokens)`},
		{"Entra", "person, where the client did not ask for the scope profile: no oid", "ask for the scope profile"},
		{"Entra", "a stranger: another application of the tenant, right audience", "assign an app role to the client, or write a Config of your own with Clients"},
		{"Entra", "another tenant", `tenant in claim "iss": expected one of the configured tenants, found "99999999-2222-3333-4444-555555555555" (see Tenants)`},
		{"Keycloak", "lightweight token without sub", "lightweight access tokens"},
		{"Zitadel", "a stranger: a service user of another project, right audience", `claim "client_id": expected "app", found "stranger"`},
	} {
		fake := idptest.New(t, tt.provider)
		_, err := check(opened(t, fake), fake.Token(t, tt.token, nil), middleware.BearerConfig{})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s, %s: got %v, want a cause with %s", tt.provider, tt.token, err, tt.want)
		}
	}
}
