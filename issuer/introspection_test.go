package issuer_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
)

// served starts an issuer at a server on loopback.
func served(t *testing.T, cfg issuer.Config) (*issuer.Issuer, string) {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	cfg.AllowEphemeralKeys, cfg.Audience = true, "https://api.example"
	iss, err := issuer.New(t.Context(), server.URL, newStore(t), &cfg)
	if err != nil {
		t.Fatal(err)
	}
	iss.Register(mux)
	return iss, server.URL
}

// TestIntrospector asks this package's own endpoint, which the metadata names.
func TestIntrospector(t *testing.T) {
	formats(t, func(t *testing.T, cfg issuer.Config) {
		iss, url := served(t, cfg)
		open := func(ask idp.IntrospectionConfig) *idp.Introspector {
			t.Helper()
			v, err := idp.OpenIntrospection(t.Context(), idp.Config{
				Issuers: []string{url}, Audience: []string{"https://api.example"}, HTTPClient: &http.Client{},
			}, ask)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		basic := open(idp.IntrospectionConfig{ClientID: "other", ClientSecret: "other-secret"})
		form := open(idp.IntrospectionConfig{ClientID: "other", ClientSecret: "other-secret", Method: idp.ClientSecretPost})

		person := mint(t, iss, issuer.Grant{Client: "app", User: "ada", Scope: "c a", Refresh: true})
		machine := mint(t, iss, issuer.Grant{Client: "app"})
		for name, v := range map[string]*idp.Introspector{"basic": basic, "form": form} {
			id, err := v.Validate(t.Context(), bearer(person.AccessToken))
			if err != nil || id.Issuer != url || id.Client != "app" || id.User != "ada" || id.Scopes != "c a" || id.Expires.IsZero() {
				t.Errorf("%s: a person's: got %+v, %v", name, id, err)
			}
			id, err = v.Validate(t.Context(), bearer(machine.AccessToken))
			if err != nil || id.Client != "app" || id.User != "" {
				t.Errorf("%s: a machine's: got %+v, %v", name, id, err)
			}
		}

		for name, token := range map[string]string{"a refresh token": person.RefreshToken, "a guess": "guess"} {
			_, err := basic.Validate(t.Context(), bearer(token))
			wantCode(t, name, err, errorsx.UnknownToken)
		}
		must(t, iss.RevokeToken(t.Context(), person.AccessToken))
		_, err := basic.Validate(t.Context(), bearer(person.AccessToken))
		wantCode(t, "a revoked token", err, errorsx.UnknownToken)
	})
}

// TestIntrospectorRefused tests what the endpoint says to a resource server that it does
// not know, and to one that may not introspect the tokens of other clients.
func TestIntrospectorRefused(t *testing.T) {
	iss, url := served(t, issuer.Config{OpaqueTokens: true})
	token := mint(t, iss, issuer.Grant{Client: "other"}).AccessToken
	bearerToken := func(context.Context) (string, error) { return token, nil }
	for name, tt := range map[string]struct {
		ask  idp.IntrospectionConfig
		want errorsx.Code
	}{
		"a wrong secret":       {idp.IntrospectionConfig{ClientID: "other", ClientSecret: "wrong"}, errorsx.Internal},
		"a wrong secret, form": {idp.IntrospectionConfig{ClientID: "other", ClientSecret: "wrong", Method: idp.ClientSecretPost}, errorsx.Internal},
		"a bearer token":       {idp.IntrospectionConfig{BearerToken: bearerToken}, errorsx.Internal},
		"nothing":              {idp.IntrospectionConfig{AllowUnauthenticated: true}, errorsx.Internal},
		"another client":       {idp.IntrospectionConfig{ClientID: "app", ClientSecret: "app-secret"}, errorsx.UnknownToken},
	} {
		v, err := idp.OpenIntrospection(t.Context(), idp.Config{Issuers: []string{url}, Audience: []string{"https://api.example"}}, tt.ask)
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Validate(t.Context(), bearer(token))
		wantCode(t, name, err, tt.want)
	}
}

func bearer(token string) middleware.Credential {
	return middleware.Credential{Scheme: middleware.SchemeBearer, Secret: token}
}
