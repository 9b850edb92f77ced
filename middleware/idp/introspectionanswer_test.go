package idp_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
)

// verdict is the code of a refusal, or client, user and scopes.
func verdict(id *middleware.Identity, err error) string {
	if err != nil {
		return errorsx.From(err).Code.String()
	}
	return fmt.Sprintf("%s %s %s", id.Client, id.User, id.Scopes)
}

// TestIntrospectionRules tests what the rules make of one answer each.
func TestIntrospectionRules(t *testing.T) {
	type change = func(*idp.Config, *idp.IntrospectionConfig)
	set := func(f func(*idp.Config)) change { return func(c *idp.Config, _ *idp.IntrospectionConfig) { f(c) } }
	clients := func(list ...string) change { return set(func(c *idp.Config) { c.Clients = list }) }
	onlyClients := func(list ...string) change {
		return set(func(c *idp.Config) { c.Audience, c.Clients = nil, list })
	}
	idTokens := set(func(c *idp.Config) { c.AllowIDTokens = true })
	username := set(func(c *idp.Config) { c.User = "username" })
	anyAudience := func(c *idp.Config, a *idp.IntrospectionConfig) { c.Audience, a.AllowAnyAudience = nil, true }
	tenants := set(func(c *idp.Config) {
		c.Issuers, c.Tenants = []string{"https://id.example/{tenant}"}, []string{"t1"}
	})
	now, null := askTime.Unix(), json.RawMessage("null")
	const person = "app ada a b"

	for _, tt := range []struct {
		name    string
		change  change
		members members
		want    string // see verdict
		hasWord string // in the cause
	}{
		{"a person", nil, nil, person, ""},
		{"a machine: sub is the client", nil, members{"sub": "app"}, "app  a b", ""},
		{"inactive, with more", nil, members{"active": false}, "AUTH-12", `member "active": expected true, found false`},

		{"another issuer", nil, members{"iss": "https://id.example/"}, "AUTH-12", `member "iss": expected "https://id.example", found "https://id.example/"`},
		{"no issuer", nil, members{"iss": nil}, person, ""},
		{"iss null", nil, members{"iss": null}, person, ""},
		{"iss a list", nil, members{"iss": []string{"https://id.example"}}, "AUTH-12", `member "iss"`},
		{"the second spelling", set(func(c *idp.Config) { c.Issuers = append(c.Issuers, "id.example") }), members{"iss": "id.example"}, person, ""},
		{"a tenant", tenants, members{"iss": "https://id.example/t1", "tid": "t1"}, person, ""},
		{"another tenant", tenants, members{"iss": "https://id.example/t2", "tid": "t2"}, "AUTH-12", `tenant in member "iss": expected one of the configured tenants, found "t2" (see Tenants)`},
		{"a tenant that tid does not name", tenants, members{"iss": "https://id.example/t1", "tid": "t2"}, "AUTH-12", `member "tid"`},
		{"a template, no issuer", tenants, members{"iss": nil, "tid": "t1"}, "AUTH-12", `member "iss"`},
		{"the template itself", tenants, members{"iss": "https://id.example/{tenant}", "tid": "t1"}, "AUTH-12", "iss"},

		{"one of two audiences", nil, members{"aud": []string{"x", "api"}}, person, ""},
		{"another audience", nil, members{"aud": "x"}, "AUTH-12", `member "aud": expected "api", found "x"`},
		{"no audience", nil, members{"aud": nil}, "AUTH-12", "aud"},
		{"aud null", nil, members{"aud": null}, "AUTH-12", "aud"},
		{"aud a number", nil, members{"aud": 7}, "AUTH-12", "aud"},
		{"no audience, a listed client", clients("app"), members{"aud": nil}, person, ""},
		{"no audience, another client", clients("x"), members{"aud": nil}, "AUTH-12", "azp"},
		{"right audience, another client", clients("x"), nil, "AUTH-12", "azp"},
		{"an audience where only clients are configured", onlyClients("app"), nil, "AUTH-12", "see Audience"},
		{"any audience", anyAudience, members{"aud": "x"}, person, ""},
		{"any audience, none", anyAudience, members{"aud": nil}, person, ""},
		{"any audience, but no valid one", anyAudience, members{"aud": 7}, "AUTH-12", "aud"},
		{"any audience, another issuer", anyAudience, members{"iss": "x"}, "AUTH-12", "iss"},

		{"client_id null, azp", nil, members{"client_id": null, "azp": "app"}, person, ""},
		{"azp alone", nil, members{"client_id": nil, "azp": "app"}, person, ""},
		{"azp that differs", nil, members{"azp": "x"}, "AUTH-12", "azp"},
		{"client_id empty", nil, members{"client_id": ""}, "AUTH-12", `member "client_id"`},
		{"client_id a list", nil, members{"client_id": []string{"app"}}, "AUTH-12", "client_id"},
		{"no client", nil, members{"client_id": nil}, " ada a b", ""},
		{"a configured client", set(func(c *idp.Config) { c.Client = "/act/sub" }), members{"act": members{"sub": "x"}}, "x ada a b", ""},

		{"username", username, nil, "app lovelace a b", ""},
		{"username null, though configured", username, members{"username": null}, "AUTH-12", `member "username": expected the user`},
		{"username null", nil, members{"username": null}, person, ""},
		{"username a list", username, members{"username": []string{"x"}}, "AUTH-12", "username"},
		{"username with NUL", username, members{"username": "a\x00"}, "AUTH-12", "username"},
		{"a numeric user", nil, members{"sub": 17}, "app 17 a b", ""},
		{"no user", nil, members{"sub": nil}, "AUTH-12", "see User"},
		{"ClientToken", set(func(c *idp.Config) { c.ClientToken = func(c idp.Claims) bool { return !c.Has("sub") } }), members{"sub": null}, "app  a b", ""},
		{"Map", set(func(c *idp.Config) {
			c.Map = func(id *middleware.Identity, c idp.Claims) error {
				id.User, id.Expires = c.Text("username"), time.Time{}
				return nil
			}
		}), nil, "app lovelace a b", ""},
		{"Map refuses", set(func(c *idp.Config) {
			c.Map = func(*middleware.Identity, idp.Claims) error { return errors.New("not today") }
		}), nil, "AUTH-12", "not today"},

		{"scope a list", nil, members{"scope": []string{"a", "b c", "d"}}, "app ada a d", ""},
		{"scope null", nil, members{"scope": null}, "app ada ", ""},
		{"scp", nil, members{"scope": nil, "scp": []string{"a"}}, "app ada a", ""},
		{"roles", set(func(c *idp.Config) { c.Scopes = []string{"/realm_access/roles"} }), members{"realm_access": members{"roles": []string{"admin"}}}, "app ada admin", ""},

		{"token_type absent", nil, members{"token_type": nil}, person, ""},
		{"token_type null", nil, members{"token_type": null}, person, ""},
		{"token_type bEaReR", nil, members{"token_type": "bEaReR"}, person, ""},
		{"token_type access_token", nil, members{"token_type": "access_token"}, person, ""},
		{"token_type DPoP", nil, members{"token_type": "DPoP"}, "AUTH-12", `member "token_type": expected Bearer`},
		{"token_type dpop, expired", nil, members{"token_type": "dpop", "exp": now}, "AUTH-11", "exp"},
		{"token_type N_A", nil, members{"token_type": "N_A"}, "AUTH-9", `member "token_type"`},
		{"token_type refresh_token", nil, members{"token_type": "refresh_token"}, "AUTH-9", "token_type"},
		{"token_type empty", nil, members{"token_type": ""}, "AUTH-9", "token_type"},
		{"token_type a number", nil, members{"token_type": 7}, "AUTH-12", "token_type"},

		{"token_use access_token", nil, members{"token_use": "access_token"}, person, ""},
		{"token_use refresh_token", nil, members{"token_use": "refresh_token"}, "AUTH-9", `member "token_use"`},
		{"token_use id", nil, members{"token_use": "id"}, "AUTH-9", "token_use"},
		{"token_use id_token", nil, members{"token_use": "id_token"}, "AUTH-9", "token_use"},
		{"token_use a list", nil, members{"token_use": []string{"id"}}, "AUTH-12", "token_use"},
		{"typ Bearer", nil, members{"typ": "Bearer"}, person, ""},
		{"typ ID", nil, members{"typ": "ID"}, "AUTH-9", `member "typ"`},
		{"typ Refresh", nil, members{"typ": "Refresh"}, "AUTH-9", "typ"},
		{"typ Offline", nil, members{"typ": "Offline"}, "AUTH-9", "typ"},
		{"typ Logout, though ID tokens pass", idTokens, members{"typ": "Logout"}, "AUTH-9", "typ"},
		{"typ logout+jwt", nil, members{"typ": "application/logout+jwt"}, "AUTH-9", "typ"},
		{"typ a number", nil, members{"typ": 7}, "AUTH-12", `member "typ"`},
		{"at_hash", nil, members{"at_hash": "x"}, "AUTH-9", "at_hash"},
		{"c_hash", nil, members{"c_hash": "x"}, "AUTH-9", "c_hash"},
		{"at_hash null", nil, members{"at_hash": null}, person, ""},
		{"nonce without scope", nil, members{"nonce": "n", "scope": nil}, "AUTH-9", "AllowIDTokens"},
		{"an ID token that is allowed", idTokens, members{"token_use": "id", "at_hash": "x"}, person, ""},

		{"expired", nil, members{"exp": now}, "AUTH-11", `member "exp": expected a time after 2030-03-17T17:46:40Z`},
		{"expired, of another audience", nil, members{"exp": now, "aud": "x"}, "AUTH-11", "exp"},
		{"exp null", nil, members{"exp": null}, person, ""},
		{"exp 0", nil, members{"exp": 0}, person, ""},
		{"exp 0.0", nil, members{"exp": json.RawMessage("0.0")}, person, ""},
		{"exp 1", nil, members{"exp": 1}, "AUTH-11", "exp"},
		{"exp 0.5", nil, members{"exp": 0.5}, "AUTH-11", "exp"},
		{"exp before 1970", nil, members{"exp": -1}, "AUTH-11", "exp"},
		{"exp as text", nil, members{"exp": "4102444800"}, "AUTH-12", `member "exp"`},
		{"exp false", nil, members{"exp": false}, "AUTH-12", "exp"},
		{"exp beyond 2^53", nil, members{"exp": math.MaxInt64}, "AUTH-12", "exp"},
		{"nbf within the leeway", nil, members{"nbf": now + 20}, person, ""},
		{"nbf beyond the leeway", nil, members{"nbf": now + 40}, "AUTH-12", `member "nbf"`},
		{"nbf as text", nil, members{"nbf": "1"}, "AUTH-12", "nbf"},
		{"nbf null", nil, members{"nbf": null}, person, ""},
		{"iat in the future, no leeway", set(func(c *idp.Config) { c.Leeway = -1 }), members{"iat": now + 5}, "AUTH-12", "iat"},
		{"iat after exp", nil, members{"iat": now + 3601}, "AUTH-12", "iat"},
		{"iat without exp", nil, members{"iat": now - 1<<30, "exp": null}, person, ""},
		{"a lifetime over the bound", nil, members{"iat": now - 366*86400}, "AUTH-12", "MaxLifetime"},
		{"a long lifetime without iat", nil, members{"exp": now + 10*366*86400}, person, ""},

		{"bound, expired", nil, members{"cnf": "x", "exp": now}, "AUTH-11", "exp"},
		{"cnf null", nil, members{"cnf": null}, person, ""},
	} {
		e := &endpoint{}
		e.answers(200, active(tt.members))
		if tt.change == nil {
			tt.change = func(*idp.Config, *idp.IntrospectionConfig) {}
		}
		id, err := introspect(t, introspection(t, e, tt.change), "t0ken")
		if got := verdict(id, err); got != tt.want {
			t.Errorf("%s: got %q, %v, want %q", tt.name, got, err, tt.want)
		}
		if err != nil && (!strings.Contains(err.Error(), tt.hasWord) || strings.Contains(err.Error(), "t0ken") || strings.Contains(err.Error(), "claim ")) {
			t.Errorf("%s: the cause %q lacks %q, or says too much", tt.name, err, tt.hasWord)
		}
	}
}

// TestIntrospectionAnswers tests answers that are not JSON with the member active, which
// are the server's fault, and the shortest ones that are right.
func TestIntrospectionAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		answer string
		want   errorsx.Code
		wants  []string // in the cause
	}{
		"least":                   {`{"active":true,"aud":"api","sub":"x"}`, 0, nil},
		"least of a client":       {`{"active":true,"aud":"api","sub":"x","client_id":"x"}`, 0, nil},
		"inactive":                {`{"active":false}`, errorsx.UnknownToken, []string{`"active"`}},
		"inactive, with nonsense": {`{"active":false,"exp":"x","scope":7,"iss":"y"}`, errorsx.UnknownToken, []string{`"active"`}},
		"nobody's token":          {`{"active":true,"aud":"api"}`, errorsx.UnknownToken, []string{`"client_id"`, `"sub"`, "azp", "cid", "appid"}},
		"nobody's token, null":    {`{"active":true,"aud":"api","sub":null,"client_id":null}`, errorsx.UnknownToken, []string{`"client_id"`, `"sub"`}},

		"active missing":  {`{}`, errorsx.Internal, []string{`"active"`}},
		"active null":     {`{"active":null}`, errorsx.Internal, []string{`"active"`}},
		"active a string": {active(members{"active": "true"}), errorsx.Internal, []string{`"active"`}},
		"active a number": {active(members{"active": 1}), errorsx.Internal, []string{`"active"`}},
		"Active":          {active(members{"active": nil, "Active": true}), errorsx.Internal, nil},
		"active twice":    {`{"active":false,"active":true}`, errorsx.Internal, nil},
		"exp twice":       {`{"active":true,"aud":"api","sub":"x","exp":1,"exp":0}`, errorsx.Internal, nil},
		"more behind":     {active(nil) + `{}`, errorsx.Internal, nil},
		"cut":             {active(nil)[:40], errorsx.Internal, nil},
		"empty":           {"", errorsx.Internal, nil},
		"HTML":            {"<html>", errorsx.Internal, nil},
		"null":            {"null", errorsx.Internal, nil},
		"true":            {"true", errorsx.Internal, nil},
		"a list":          {"[" + active(nil) + "]", errorsx.Internal, nil},
		"bad UTF-8":       {`{"active":true,"x":"` + "\xff" + `"}`, errorsx.Internal, nil},
		"1 MiB":           {active(nil) + strings.Repeat(" ", 1<<20-len(active(nil))), 0, nil},
		"over 1 MiB":      {active(nil) + strings.Repeat(" ", 1<<20), errorsx.Internal, nil},
	} {
		e := &endpoint{}
		e.answers(200, tt.answer)
		_, err := introspect(t, introspection(t, e), "token")
		if got := codeOf(err); got != tt.want {
			t.Errorf("%s: got %v, %v, want %v", name, got, err, tt.want)
		}
		for _, want := range tt.wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: the cause %q lacks %s", name, err, want)
			}
		}
	}

	// The only answer that needs no audience.
	e := &endpoint{}
	e.answers(200, `{"active":true}`)
	v := introspection(t, e, func(c *idp.Config, a *idp.IntrospectionConfig) { c.Audience, a.AllowAnyAudience = nil, true })
	if _, err := introspect(t, v, "token"); codeOf(err) != errorsx.UnknownToken || !strings.Contains(err.Error(), `no user in "sub"`) {
		t.Errorf("active alone: got %v", err)
	}
}

func codeOf(err error) errorsx.Code {
	if err == nil {
		return 0
	}
	return errorsx.From(err).Code
}

// TestIntrospectionExpires tests how long an identity is good. Without exp it is a minute
// from the credential's time.
func TestIntrospectionExpires(t *testing.T) {
	for _, tt := range []struct {
		exp  any
		want time.Duration
	}{
		{nil, time.Minute}, {json.RawMessage("null"), time.Minute}, {0, time.Minute},
		{askTime.Unix() + 1, time.Second}, {askTime.Unix() + 7200, 2 * time.Hour},
	} {
		e := &endpoint{}
		e.answers(200, active(members{"exp": tt.exp}))
		id, err := introspect(t, introspection(t, e), "token")
		if err != nil || !id.Expires.Equal(askTime.Add(tt.want)) {
			t.Errorf("exp %v: got %+v, %v, want %v", tt.exp, id, err, tt.want)
		}
	}
}

// TestIntrospectionIssuerNames tests the issuer in the identity. Equal names of two
// tenants must not merge.
func TestIntrospectionIssuerNames(t *testing.T) {
	for name, tt := range map[string]struct {
		issuers []string
		iss     any
		want    string
	}{
		"absent":              {[]string{"https://a", "b"}, nil, "https://a"},
		"the second spelling": {[]string{"https://a", "b"}, "b", "https://a"},
		"a template":          {[]string{"https://a/{tenant}"}, "https://a/t1", "https://a/t1"},
		"a second template":   {[]string{"https://a", "https://a/{tenant}"}, "https://a/t1", "https://a/t1"},
	} {
		e := &endpoint{}
		e.answers(200, active(members{"iss": tt.iss, "tid": "t1"}))
		v := introspection(t, e, func(c *idp.Config, _ *idp.IntrospectionConfig) {
			c.Issuers, c.AllowAnyTenant = tt.issuers, strings.Contains(tt.issuers[len(tt.issuers)-1], "{")
		})
		if id, err := introspect(t, v, "token"); err != nil || id.Issuer != tt.want {
			t.Errorf("%s: got %+v, %v, want %s", name, id, err, tt.want)
		}
	}
}

// TestIntrospectionPresets tests answers as providers give them.
func TestIntrospectionPresets(t *testing.T) {
	keycloak := func(changes members) members {
		return changed(members{
			"iss": "https://sso.example/realms/main", "typ": "Bearer", "azp": "app", "client_id": "app", "token_type": "Bearer",
			"sub": "f1b0", "username": "ada", "preferred_username": "ada", "realm_access": members{"roles": []string{"admin"}},
		}, changes)
	}
	machine := members{"sub": "sa-uuid", "username": "service-account-app", "preferred_username": "service-account-app", "clientAddress": "10.0.0.1"}
	null := json.RawMessage("null")
	realm := func(audience string) idp.Config { return idp.Keycloak("https://sso.example/realms/main", audience) }
	byClient := realm("")
	byClient.Clients = []string{"app"}
	zitadel := func(user string) idp.Config {
		cfg := idp.Zitadel("https://zitadel.example", "api", "app")
		cfg.User = user
		return cfg
	}

	for _, tt := range []struct {
		name    string
		cfg     idp.Config
		members members
		want    string
		hasWord string
	}{
		{"Keycloak: a person", realm("api"), keycloak(nil), "app f1b0 a b", ""},
		{"Keycloak: a machine", realm("api"), keycloak(machine), "app  a b", ""},
		{"Keycloak: a person who chose the name", realm("api"), changed(keycloak(machine), members{"clientAddress": nil}), "AUTH-12", "service_account"},
		{"Keycloak: a person who chose the name in capitals", realm("api"), changed(keycloak(machine), members{"clientAddress": nil, "preferred_username": "Service-Account-App"}), "AUTH-12", "service_account"},
		{"Keycloak: a machine without the scope profile", realm("api"), changed(keycloak(machine), members{"preferred_username": nil}), "app  a b", ""},
		{"Keycloak: a machine with clientHost alone", realm("api"), keycloak(members{"preferred_username": nil, "clientHost": "10.0.0.1"}), "app  a b", ""},
		{"Keycloak: a machine whose client ID has capitals", realm("api"), changed(keycloak(machine), members{"azp": "App", "client_id": "App"}), "App  a b", ""},
		{"Keycloak: a person without the scope profile", realm("api"), keycloak(members{"preferred_username": nil}), "app f1b0 a b", ""},
		{"Keycloak: another client's name", realm("api"), keycloak(members{"preferred_username": "service-account-x"}), "app f1b0 a b", ""},
		{"Keycloak: no audience, a listed client", byClient, keycloak(members{"aud": null}), "app f1b0 a b", ""},
		{"Keycloak: a refresh token", realm("api"), keycloak(members{"typ": "Refresh"}), "AUTH-9", "typ"},
		{"Keycloak: another kind", realm("api"), keycloak(members{"typ": "Serialized-ID"}), "AUTH-9", "typ"},
		{"Keycloak: DPoP", realm("api"), keycloak(members{"typ": "DPoP", "token_type": "DPoP", "cnf": members{"jkt": "x"}}), "AUTH-12", "token_type"},
		{"Keycloak: no sub", realm("api"), keycloak(members{"sub": null}), "AUTH-12", "basic"},

		{"Okta: a person", idp.Okta("https://example.okta.com/oauth2/default", "api"),
			members{"iss": "https://example.okta.com/oauth2/default", "sub": "ada@example.com", "uid": "00u1", "username": "ada@example.com"}, "app 00u1 a b", ""},
		{"Okta: a machine", idp.Okta("https://example.okta.com/oauth2/default", "api"),
			members{"iss": "https://example.okta.com/oauth2/default", "sub": "app", "username": nil}, "app  a b", ""},
		{"Hydra", idp.Hydra("https://hydra.example", "api"),
			members{"iss": "https://hydra.example", "aud": []string{"api"}, "token_use": "access_token", "ext": members{"a": 1}, "nbf": askTime.Unix()}, "app ada a b", ""},
		{"Hydra: a refresh token", idp.Hydra("https://hydra.example", "api"),
			members{"iss": "https://hydra.example", "token_use": "refresh_token"}, "AUTH-9", "token_use"},
		{"Zitadel: no user is configured", zitadel(""), members{"iss": "https://zitadel.example"}, "app  a b", ""},
		{"Zitadel: a stranger", zitadel("/urn:person"), members{"iss": "https://zitadel.example", "client_id": "x", "urn:person": "p"}, "AUTH-12", `member "client_id": expected "app", found "x"`},
		{"Zitadel: a configured user", zitadel("/urn:person"), members{"iss": "https://zitadel.example", "urn:person": "p"}, "app p a b", ""},
	} {
		e := &endpoint{}
		e.answers(200, active(tt.members))
		v := introspection(t, e, func(c *idp.Config, _ *idp.IntrospectionConfig) {
			tt.cfg.HTTPClient = c.HTTPClient
			*c = tt.cfg
		})
		id, err := introspect(t, v, "token")
		if got := verdict(id, err); got != tt.want || err != nil && !strings.Contains(err.Error(), tt.hasWord) {
			t.Errorf("%s: got %q, %v, want %q", tt.name, got, err, tt.want)
		}
	}
}

// TestNoOtherMemberInCauses tests that a cause shows only the values of iss, aud,
// client_id, azp and typ.
func TestNoOtherMemberInCauses(t *testing.T) {
	const mark = "m4rked"
	e := &endpoint{}
	v := introspection(t, e, func(c *idp.Config, _ *idp.IntrospectionConfig) { c.User = "email" })
	faults := []members{nil, {"iss": "x"}, {"aud": "x"}, {"aud": 7}, {"azp": "x"}, {"exp": 1}, {"exp": "x"}, {"nbf": 1 << 40}, {"email": ""}, {"typ": "ID"}}
	for _, name := range []string{"sub", "username", "email", "jti", "scope", "exp", "nbf", "iat", "cnf", "token_type", "token_use", mark} {
		for _, value := range []any{mark, "\x00" + mark, " " + mark, []string{mark}, members{mark: mark}, []any{7, members{"a": mark}}} {
			for _, fault := range faults {
				e.answers(200, active(changed(members{name: value}, fault)))
				if _, err := introspect(t, v, "t0ken"); err != nil && (strings.Contains(err.Error(), mark) || strings.Contains(err.Error(), "t0ken")) {
					t.Errorf("%s %v %v: %v", name, value, fault, err)
				}
			}
		}
	}
}

// FuzzIntrospection tests that no answer panics, that only the endpoint's own faults are
// failures of the server, and that an identity follows from an answer that is active, for
// this audience, in time and not bound to a key.
func FuzzIntrospection(f *testing.F) {
	for _, changes := range []members{
		nil, {"active": false}, {"exp": 1}, {"exp": 0}, {"aud": []string{"x", "api"}}, {"aud": 7}, {"cnf": members{"jkt": "x"}}, {"cnf": json.RawMessage("null")},
		{"token_type": "DPoP"}, {"scope": members{"a": true}}, {"iss": nil, "sub": nil}, {"client_id": nil, "azp": "app"}, {"roles": []any{"a b", 7}},
	} {
		f.Add(active(changes))
	}
	f.Add(`{"active":"true"}`)
	f.Add(`{"active":true,"active":false}`)
	f.Add(`{"active":tru`)
	f.Add(`{"Active":true}`)
	e := &endpoint{}
	v := introspection(f, e, func(c *idp.Config, _ *idp.IntrospectionConfig) { c.Scopes = []string{"scope", "scp", "roles", "/a/b"} })

	f.Fuzz(func(t *testing.T, answer string) {
		e.answers(200, answer)
		id, err := introspect(t, v, "token")
		var m map[string]json.RawMessage
		parsed := json.Unmarshal([]byte(answer), &m) == nil
		says := string(m["active"])
		if err != nil {
			code := errorsx.From(err).Code
			if strings.Contains(err.Error(), "panicked") || code != errorsx.Internal && (!parsed || says != "true" && says != "false") {
				t.Errorf("%q: got %v", answer, err)
			}
			return
		}

		var exp float64
		var aud any
		if len(m["exp"]) > 0 && json.Unmarshal(m["exp"], &exp) != nil || json.Unmarshal(m["aud"], &aud) != nil {
			t.Fatalf("admitted %q", answer)
		}
		list, _ := aud.([]any)
		isFor := aud == "api"
		for _, a := range list {
			isFor = isFor || a == "api"
		}
		switch {
		case !parsed || says != "true", !isFor:
			t.Errorf("admitted %q", answer)
		case exp != 0 && exp <= float64(askTime.Unix()), !askTime.Before(id.Expires), exp == 0 && id.Expires.After(askTime.Add(time.Minute)):
			t.Errorf("admitted %q until %v", answer, id.Expires)
		case id.Client == "" && id.User == "", !id.Scopes.Valid(), id.Issuer != "https://id.example", id.Methods != middleware.ByToken:
			t.Errorf("admitted %q as %+v", answer, id)
		}
	})
}
