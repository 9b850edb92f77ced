package idp_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
)

// plain returns a Config of a provider without a preset, whose keys are static.
func plain(t testing.TB, alg string, changes ...func(*idp.Config)) idp.Config {
	t.Helper()
	cfg := idp.Config{Issuers: []string{"https://id.example"}, Audience: []string{"api"}, Keys: staticKeys(t, "k1", alg)}
	for _, change := range changes {
		change(&cfg)
	}
	return cfg
}

func verifier(t testing.TB, configs ...idp.Config) *idp.Verifier {
	t.Helper()
	v, err := idp.Open(t.Context(), configs...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

// claimsOf returns the claims of a valid token with changes; nil removes a claim.
func claimsOf(changes members) members {
	now := time.Now().Unix()
	return changed(members{
		"iss": "https://id.example", "aud": "api", "sub": "ada", "azp": "app", "scope": "read", "iat": now - 60, "exp": now + 3600,
	}, changes)
}

func headerOf(changes members) members {
	return changed(members{"alg": "EdDSA", "kid": "k1", "typ": "JWT"}, changes)
}

// TestRules tests what the rules for claims, types, times, audiences and clients make of
// one token each.
func TestRules(t *testing.T) {
	now := time.Now().Unix()
	clients := func(list ...string) func(*idp.Config) { return func(c *idp.Config) { c.Clients = list } }
	noAudience := func(c *idp.Config) { c.Audience = nil }
	for _, tt := range []struct {
		name    string
		cfg     []func(*idp.Config)
		header  members
		claims  members
		want    string // the code of the refusal, or client, user and scopes
		hasWord string // in the cause
	}{
		{"a person", nil, nil, nil, "app ada read", ""},
		{"a machine: sub is the client", nil, nil, members{"sub": "app"}, "app  read", ""},
		{"another issuer", nil, nil, members{"iss": "https://id.example/"}, "AUTH-12", `"https://id.example"`},
		{"an issuer that is a list", nil, nil, members{"iss": []string{"https://id.example"}}, "AUTH-12", "iss"},

		{"one of two audiences", nil, nil, members{"aud": []string{"x", "api"}}, "app ada read", ""},
		{"another audience", nil, nil, members{"aud": "other"}, "AUTH-12", "aud"},
		{"an audience with a blank", nil, nil, members{"aud": "x api"}, "AUTH-12", "aud"},
		{"an audience that is a number", nil, nil, members{"aud": 7}, "AUTH-12", "aud"},
		{"no audience", nil, nil, members{"aud": nil}, "AUTH-12", "aud"},
		{"an audience null, a listed client", []func(*idp.Config){clients("app")}, nil, members{"aud": jsonNull}, "app ada read", ""},
		{"no audience, a listed client", []func(*idp.Config){clients("app")}, nil, members{"aud": nil}, "app ada read", ""},
		{"an empty list, a listed client", []func(*idp.Config){clients("app")}, nil, members{"aud": []string{}}, "app ada read", ""},
		{"no audience, another client", []func(*idp.Config){clients("other")}, nil, members{"aud": nil}, "AUTH-12", "other"},
		{"right audience, another client", []func(*idp.Config){clients("other")}, nil, nil, "AUTH-12", "other"},
		{"an audience where only clients are configured", []func(*idp.Config){clients("app"), noAudience}, nil, nil, "AUTH-12", "see Audience"},

		{"clients that differ", nil, nil, members{"client_id": "x"}, "AUTH-12", "azp"},
		{"cid", nil, nil, members{"azp": nil, "cid": "c"}, "c ada read", ""},
		{"appid that differs", nil, nil, members{"appid": "x"}, "AUTH-12", "appid"},
		{"a configured client", []func(*idp.Config){func(c *idp.Config) { c.Client = "/act/sub" }}, nil, members{"act": members{"sub": "x"}}, "x ada read", ""},
		{"a client that is a list", nil, nil, members{"azp": []string{"app"}}, "AUTH-12", "azp"},

		{"a numeric user", nil, nil, members{"sub": 17}, "app 17 read", ""},
		{"no user", nil, nil, members{"sub": nil}, "AUTH-12", "sub"},
		{"another claim for the user, without sub", []func(*idp.Config){func(c *idp.Config) { c.User = "uid" }}, nil, members{"sub": nil, "uid": "u"}, "app u read", ""},
		{"an empty sub, another claim for the user", []func(*idp.Config){func(c *idp.Config) { c.User = "uid" }}, nil, members{"sub": "", "uid": "u"}, "app u read", ""},
		{"a user with a control character", nil, nil, members{"sub": "a\nb"}, "AUTH-12", "sub"},
		{"ClientToken", []func(*idp.Config){func(c *idp.Config) { c.ClientToken = func(c idp.Claims) bool { return c.Text("gty") == "cc" } }}, nil, members{"gty": "cc"}, "app  read", ""},

		{"scp as text", nil, nil, members{"scope": nil, "scp": "files.read"}, "app ada files.read", ""},
		{"scope as a list", nil, nil, members{"scope": []string{"a", "b"}}, "app ada a b", ""},
		{"scope null", nil, nil, members{"scope": jsonNull}, "app ada ", ""},
		{"scp as a list", nil, nil, members{"scope": nil, "scp": []string{"a", "b"}}, "app ada a b", ""},
		{"both, once each", nil, nil, members{"scope": "a  b", "scp": "b c"}, "app ada a b c", ""},
		{"elements are not split", nil, nil, members{"scope": nil, "scp": []string{"a b", "c", "", "ä"}}, "app ada c", ""},
		{"roles are not split", []func(*idp.Config){func(c *idp.Config) { c.Scopes = []string{"role"} }}, nil, members{"role": "a b"}, "app ada ", ""},
		{"roles at a pointer", []func(*idp.Config){func(c *idp.Config) { c.Scopes = []string{"scope", "/realm_access/roles"} }}, nil,
			members{"realm_access": members{"roles": []string{"admin"}}}, "app ada read admin", ""},
		{"an object", []func(*idp.Config){func(c *idp.Config) { c.Scopes = []string{"can"} }}, nil,
			members{"can": members{"b": true, "a": 1, "c": false, "d": nil, "e": "", "f": []int{}, "g": members{}}}, "app ada a b", ""},
		{"scopes of a wrong type", nil, nil, members{"scope": 7}, "app ada ", ""},

		{"at+jwt", nil, members{"typ": "at+jwt"}, nil, "app ada read", ""},
		{"no type", nil, members{"typ": nil}, nil, "app ada read", ""},
		{"another type", nil, members{"typ": "dpop+jwt"}, nil, "AUTH-9", "typ"},
		{"a logout token, though its type is listed", []func(*idp.Config){func(c *idp.Config) { c.Types = []string{"logout+jwt"} }}, members{"typ": "logout+jwt"}, nil, "AUTH-9", ""},
		{"typ ID", nil, nil, members{"typ": "ID"}, "AUTH-9", "typ"},
		{"typ Refresh, with ID tokens allowed", []func(*idp.Config){func(c *idp.Config) { c.AllowIDTokens = true }}, nil, members{"typ": "Refresh"}, "AUTH-9", "typ"},
		{"token_use id", nil, nil, members{"token_use": "id"}, "AUTH-9", "token_use"},
		{"at_hash", nil, nil, members{"at_hash": "x"}, "AUTH-9", "at_hash"},
		{"nonce without scope", nil, nil, members{"nonce": "n", "scope": nil}, "AUTH-9", "AllowIDTokens"},
		{"nonce with scope", nil, nil, members{"nonce": "n"}, "app ada read", ""},
		{"an ID token that is allowed", []func(*idp.Config){func(c *idp.Config) { c.AllowIDTokens = true }}, nil, members{"at_hash": "x"}, "app ada read", ""},

		{"expired by a second", nil, nil, members{"exp": now - 1}, "AUTH-11", "exp"},
		{"no exp", nil, nil, members{"exp": nil}, "AUTH-12", "exp"},
		{"exp as text", nil, nil, members{"exp": fmt.Sprint(now + 60)}, "AUTH-12", "exp"},
		{"nbf within the leeway", nil, nil, members{"nbf": now + 20}, "app ada read", ""},
		{"nbf beyond the leeway", nil, nil, members{"nbf": now + 40}, "AUTH-12", "nbf"},
		{"iat in the future, no leeway", []func(*idp.Config){func(c *idp.Config) { c.Leeway = -1 }}, nil, members{"iat": now + 5}, "AUTH-12", "iat"},
		{"ten years", nil, nil, members{"exp": now + 10*366*86400}, "AUTH-12", "MaxLifetime"},
		{"the year 9999, without iat", nil, nil, members{"exp": 253402300799, "iat": nil}, "AUTH-12", "MaxLifetime"},
		{"a lifetime over the bound", []func(*idp.Config){func(c *idp.Config) { c.MaxLifetime = time.Hour }}, nil, members{"exp": now + 7200}, "AUTH-12", "MaxLifetime"},
		{"a lifetime over the bound, without iat", []func(*idp.Config){func(c *idp.Config) { c.MaxLifetime = time.Hour }}, nil, members{"exp": now + 7200, "iat": nil}, "AUTH-12", "MaxLifetime"},

		{"cnf null", nil, nil, members{"cnf": jsonNull}, "app ada read", ""},

		{"another algorithm", nil, members{"alg": "RS256"}, nil, "AUTH-10", ""},
		{"none", nil, members{"alg": "none"}, nil, "AUTH-10", "alg"},
		{"an unknown kid", nil, members{"kid": "k2"}, nil, "AUTH-10", "kid"},
		{"no kid, one key", nil, members{"kid": nil}, nil, "app ada read", ""},
		{"a key in the token", nil, members{"jwk": members{}}, nil, "AUTH-10", "jwk"},
		{"critical extensions", nil, members{"crit": []string{"x"}}, nil, "AUTH-10", "crit"},
		{"jku beside a known kid", nil, members{"jku": "https://evil.example"}, nil, "app ada read", ""},
		{"x5t without a kid", nil, members{"kid": nil, "x5t": "x"}, nil, "AUTH-10", ""},
	} {
		v := verifier(t, plain(t, "EdDSA", tt.cfg...))
		id, err := v.Validate(t.Context(), token(sign(t, "EdDSA", headerOf(tt.header), claimsOf(tt.claims))))
		got := ""
		if err != nil {
			got = errorsx.From(err).Code.String()
		} else {
			got = fmt.Sprintf("%s %s %s", id.Client, id.User, id.Scopes)
		}
		if got != tt.want {
			t.Errorf("%s: got %q, %v, want %q", tt.name, got, err, tt.want)
		}
		if err != nil && !strings.Contains(err.Error(), tt.hasWord) {
			t.Errorf("%s: the cause %q lacks %q", tt.name, err, tt.hasWord)
		}
	}
}

// jsonNull is a claim that is null; nil would remove it.
var jsonNull = (*int)(nil)

// TestMap tests that Map may set the client, the user and the scopes, and nothing else.
func TestMap(t *testing.T) {
	boom := errors.New("boom")
	for name, tt := range map[string]struct {
		f    func(*middleware.Identity, idp.Claims) error
		want string
	}{
		"changes": {func(id *middleware.Identity, c idp.Claims) error {
			id.Client, id.User, id.Scopes = "own", c.Text("email"), "x y"
			id.Issuer, id.TokenID, id.SigningKeyID, id.Audience = "https://evil.example", "x", "", ""
			id.Expires = time.Time{}
			return nil
		}, "https://id.example own a@b x y api"},
		"an error":       {func(*middleware.Identity, idp.Claims) error { return boom }, "AUTH-12"},
		"a refusal":      {func(*middleware.Identity, idp.Claims) error { return errorsx.ScopeNotAuthorized }, "AUTH-7"},
		"a panic":        {func(*middleware.Identity, idp.Claims) error { panic("boom") }, "AUTH-8"},
		"bad scopes":     {func(id *middleware.Identity, _ idp.Claims) error { id.Scopes = "a  b"; return nil }, "AUTH-8"},
		"names nobody":   {func(id *middleware.Identity, _ idp.Claims) error { id.Client, id.User = "", ""; return nil }, "AUTH-12"},
		"nothing at all": {func(*middleware.Identity, idp.Claims) error { return nil }, "https://id.example app ada read api"},
	} {
		v := verifier(t, plain(t, "EdDSA", func(c *idp.Config) { c.Map = tt.f }))
		id, err := v.Validate(t.Context(), token(sign(t, "EdDSA", headerOf(nil), claimsOf(members{"email": "a@b"}))))
		got := ""
		if err != nil {
			got = errorsx.From(err).Code.String()
		} else if got = fmt.Sprintf("%s %s %s %s %s", id.Issuer, id.Client, id.User, id.Scopes, id.Audience); id.Expires.IsZero() || id.SigningKeyID == "" {
			t.Errorf("%s: got %+v", name, id)
		}
		if got != tt.want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, tt.want)
		}
	}
}

// TestOpenErrors opens verifiers with several faults each. The error must name all.
func TestOpenErrors(t *testing.T) {
	keys := staticKeys(t, "k1", "EdDSA")
	for name, tt := range map[string]struct {
		configs []idp.Config
		wants   []string
	}{
		"nothing": {nil, []string{"no issuer"}},
		"a zero":  {[]idp.Config{{}}, []string{"no Issuers", "neither Audience nor Clients"}},
		"presets": {[]idp.Config{idp.Auth0("", ""), idp.GitHubActions("a"), idp.Kubernetes("https://k.example", "a", ""), idp.Entra("a")}, []string{"Auth0: no domain", "Auth0: no audience", "no repositories", "no accounts", "no tenants"}},
		"arguments": {[]idp.Config{
			idp.Auth0("https://example.eu.auth0.com", "a"), idp.Auth0("example.eu.auth0.com/", "a"), idp.CloudflareAccess("https://example.cloudflareaccess.com", "a"),
			idp.Okta("https://example.okta.com", "a"), idp.Okta("https://sso.example.com/oauth2/", "a"), idp.Zitadel("https://z.example", "a"),
			idp.Entra("a", "contoso.example"), idp.Entra("a", "11111111-2222-3333-4444-55555555555g"), entraOf("common"),
		}, []string{
			`Auth0: the domain is "https://example.eu.auth0.com", expected a domain without a scheme`, `"example.eu.auth0.com/", expected a domain`,
			"CloudflareAccess: the team", `Okta: the issuer "https://example.okta.com" is the org authorization server`, "or OpenIntrospection", `"https://sso.example.com/oauth2/" is the org`,
			"Zitadel: no clients", `Tenants hold "contoso.example", expected the tenant's ID`, `"11111111-2222-3333-4444-55555555555g"`, `"common"`,
		}},
		"http":      {[]idp.Config{idp.Supabase("http://id.example")}, []string{"AllowHTTP"}},
		"templates": {[]idp.Config{{Issuers: []string{"https://a.example/{tenant}", "https://b.example/{x}", "https://c.example/x{tenant}"}, Audience: []string{"a"}, Keys: keys}}, []string{"is a template: set Tenants", `"https://b.example/{x}" has a brace`, `"https://c.example/x{tenant}" has a brace`}},
		"twice": {[]idp.Config{
			{Issuers: []string{"https://a.example"}, Audience: []string{"a"}, Keys: keys}, {Issuers: []string{"https://a.example"}, Audience: []string{"a"}, Keys: keys},
		}, []string{"given twice"}},
		"a template over another": {[]idp.Config{
			{Issuers: []string{"https://a.example/{tenant}"}, AllowAnyTenant: true, Audience: []string{"a"}, Keys: keys},
			{Issuers: []string{"https://a.example/x"}, Audience: []string{"a"}, Keys: keys},
		}, []string{"covers the issuer"}},
		"limits": {[]idp.Config{{
			Issuers: []string{"https://a.example"}, Audience: []string{"a b"}, Clients: []string{""}, Keys: keys,
			Leeway: time.Hour, MaxLifetime: 1, Refresh: 1, JWKSURL: "http://a.example/jwks",
		}}, []string{`Audience holds "a b"`, `Clients holds ""`, "Leeway is 1h", "MaxLifetime is 1ns", "Refresh is 1ns", "JWKSURL"}},
	} {
		v, err := idp.Open(t.Context(), tt.configs...)
		if err == nil || v != nil || !says(err.Error(), "Open", tt.wants...) {
			t.Errorf("%s: got %v, %v, want an error that says %q", name, v, err, tt.wants)
		}
	}
	//lint:ignore SA1012 a program may pass nil by mistake
	if _, err := idp.Open(nil, plain(t, "EdDSA")); err == nil {
		t.Error("a nil context: no error")
	}
}

// entraOf returns a Config of Entra for any tenant that is limited to one afterwards.
func entraOf(tenant string) idp.Config {
	cfg := idp.EntraAnyTenant("a")
	cfg.AllowAnyTenant, cfg.Tenants = false, []string{tenant}
	return cfg
}

// TestTenants tests tenants in iss that are no tenants.
func TestTenants(t *testing.T) {
	v := verifier(t, plain(t, "EdDSA", func(c *idp.Config) {
		c.Issuers, c.AllowAnyTenant = []string{"https://login.example/{tenant}/v2.0"}, true
	}))
	for _, tt := range []struct{ tenant, want string }{
		{"one", ""}, {"1.2_3-4", ""}, {"", "AUTH-12"}, {"a/b", "AUTH-12"}, {"..", "AUTH-12"}, {"{tenant}", "AUTH-12"}, {"a%2Fb", "AUTH-12"}, {"ä", "AUTH-12"},
	} {
		claims := claimsOf(members{"iss": "https://login.example/" + tt.tenant + "/v2.0", "tid": tt.tenant})
		id, err := v.Validate(t.Context(), token(sign(t, "EdDSA", headerOf(nil), claims)))
		switch {
		case tt.want == "" && (err != nil || id.Issuer != claims["iss"]):
			t.Errorf("%q: got %+v, %v", tt.tenant, id, err)
		case tt.want != "" && (err == nil || errorsx.From(err).Code.String() != tt.want):
			t.Errorf("%q: got %+v, %v, want %s", tt.tenant, id, err, tt.want)
		}
	}
	other := maps.Clone(claimsOf(members{"iss": "https://login.example/one/v2.0", "tid": "two"}))
	if _, err := v.Validate(t.Context(), token(sign(t, "EdDSA", headerOf(nil), other))); !errors.Is(err, errorsx.UnknownToken) {
		t.Errorf("another tid: got %v", err)
	}
}

// TestMarks tests tokens that say that they are no access tokens, in the words of several
// libraries.
func TestMarks(t *testing.T) {
	v := verifier(t, plain(t, "EdDSA"))
	allowing := verifier(t, plain(t, "EdDSA", func(c *idp.Config) { c.AllowIDTokens = true }))
	for _, tt := range []struct {
		claims  members
		isID    bool
		refused bool
	}{
		{members{"token_type": "refresh"}, false, true}, {members{"type": "refresh"}, false, true}, {members{"typ": "refresh"}, false, true},
		{members{"typ": "Offline"}, false, true}, {members{"typ": "RefreshToken"}, false, true}, {members{"token_use": "REFRESH"}, false, true},
		{members{"events": members{"http://schemas.openid.net/event/backchannel-logout": members{}}}, false, true},
		{members{"token_use": "ID"}, true, true}, {members{"typ": "id"}, true, true}, {members{"token_type": "id_token"}, true, true},
		{members{"typ": "Bearer"}, false, false}, {members{"token_type": "Bearer"}, false, false}, {members{"type": "access"}, false, false}, {members{"type": 7}, false, false},
	} {
		signed := sign(t, "EdDSA", headerOf(nil), claimsOf(tt.claims))
		for _, v := range []*idp.Verifier{v, allowing} {
			_, err := v.Validate(t.Context(), token(signed))
			want := tt.refused && !(tt.isID && v == allowing)
			if want != (err != nil) || err != nil && errorsx.From(err).Code != errorsx.WrongTokenType {
				t.Errorf("%v: got %v, want a refusal: %t", tt.claims, err, want)
			}
		}
	}
}

// TestScopesSplitAtSpaces tests that only a space separates scopes.
func TestScopesSplitAtSpaces(t *testing.T) {
	v := verifier(t, plain(t, "EdDSA"))
	for scope, want := range map[string]middleware.Scopes{"a b": "a b", " a  b ": "a b", "a\tb": "", "a\u00a0b": "", "a\nb c": "c"} {
		id, err := v.Validate(t.Context(), token(sign(t, "EdDSA", headerOf(nil), claimsOf(members{"scope": scope}))))
		if err != nil || id.Scopes != want {
			t.Errorf("%q: got %+v, %v, want %q", scope, id, err, want)
		}
	}
}

// TestOverlappingTemplates opens issuers whose templates accept the same tenant.
func TestOverlappingTemplates(t *testing.T) {
	of := func(any bool, tenants ...string) idp.Config {
		return plain(t, "EdDSA", func(c *idp.Config) {
			c.Issuers, c.AllowAnyTenant, c.Tenants = []string{"https://login.example/{tenant}/v2.0"}, any, tenants
		})
	}
	for name, tt := range map[string]struct {
		configs []idp.Config
		ok      bool
	}{
		"different tenants":   {[]idp.Config{of(false, "a"), of(false, "b")}, true},
		"one tenant twice":    {[]idp.Config{of(false, "a", "b"), of(false, "b")}, false},
		"any, and one of any": {[]idp.Config{of(true), of(false, "b")}, false},
		"the other way":       {[]idp.Config{of(false, "b"), of(true)}, false},
	} {
		v, err := idp.Open(t.Context(), tt.configs...)
		if (err == nil) != tt.ok {
			t.Errorf("%s: got %v", name, err)
		}
		if err == nil {
			v.Close()
		}
	}
}
