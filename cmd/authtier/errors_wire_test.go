package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestTableDialect(t *testing.T) {
	t.Parallel()
	w := sharedDemo(t)
	granted := w.tiersGrant()
	access, refresh := granted.text("access_token"), granted.text("refresh_token")
	usageOnly := w.partnerToken("demo-partner", "usage:read")
	foreign := w.oauth2Grant().text("access_token")
	token := func(pairs ...string) []option { return with(demoKey, form(pairs...)) }

	w.exchanges(t, []exchange{
		{"AUTH-1 API key", "GET", "/public/ping", with(header("X-API-KEY", "no_such_key")),
			refusal{401, "AUTH-1", "invalid_token", challengeKey, ""}},
		{"AUTH-1 client", "GET", "/partner/", with(basic("demo-partner", "wrong")),
			refusal{401, "AUTH-1", "invalid_token", challengeBasic, ""}},
		{"AUTH-1 user, with the client's challenge", "POST", "/public/token",
			token("grant_type", "password", "username", "user_email@email.com", "password", "wrong"),
			refusal{401, "AUTH-1", "invalid_grant", challengeKey, ""}},
		{"AUTH-2 X-API-KEY", "GET", "/public/ping", nil,
			refusal{401, "AUTH-2", "invalid_request", challengeKey, `"X-API-KEY"`}},
		{"AUTH-2 Authorization of a token", "GET", "/user/me", with(demoKey),
			refusal{401, "AUTH-2", "invalid_request", challengeBare, `"Authorization"`}},
		{"AUTH-2 Authorization of a client", "GET", "/partner/", nil,
			refusal{401, "AUTH-2", "invalid_request", challengeBasic, `"Authorization"`}},
		{"AUTH-3 API key", "GET", "/public/ping", with(demoKey, demoKey),
			refusal{401, "AUTH-3", "invalid_request", challengeKey, `"X-API-KEY"`}},
		{"AUTH-3 token", "GET", "/user/me", with(demoKey, header("Authorization", "Bearer a b")),
			refusal{401, "AUTH-3", "invalid_request", challengeBearer("invalid_request"), `"Authorization"`}},
		{"AUTH-3 another scheme than Bearer", "GET", "/user/me", with(demoKey, basic("a", "b")),
			refusal{401, "AUTH-3", "invalid_request", challengeBare, `"Authorization"`}},
		{"AUTH-3 client", "GET", "/partner/", with(header("Authorization", "Basic ***")),
			refusal{401, "AUTH-3", "invalid_request", challengeBasic, `"Authorization"`}},
		{"AUTH-3 another scheme than Basic", "GET", "/partner/", with(bearer("abc")),
			refusal{401, "AUTH-3", "invalid_request", challengeBasic, `"Authorization"`}},
		{"AUTH-6 parameter missing", "POST", "/public/token", token("username", "x"),
			refusal{422, "AUTH-6", "invalid_request", "", "grant_type"}},
		{"AUTH-6 parameter repeated", "POST", "/public/token", token("grant_type", "password", "grant_type", "password"),
			refusal{422, "AUTH-6", "invalid_request", "", "grant_type"}},
		{"AUTH-6 unsupported grant", "POST", "/public/token", token("grant_type", "authorization_code"),
			refusal{422, "AUTH-6", "unsupported_grant_type", "", "grant_type"}},
		{"AUTH-6 grant that the client may not use", "POST", "/public/token", token("grant_type", "client_credentials"),
			refusal{422, "AUTH-6", "unauthorized_client", "", "grant_type"}},
		{"AUTH-6 at a resource", "GET", "/partner/usages?api_name=a&start_date=2025-01-01&end_date=x",
			with(basic("demo-partner", "demo-partner-secret")),
			refusal{422, "AUTH-6", "invalid_request", "", "end_date"}},
		{"AUTH-7 scope asked for", "POST", "/public/token",
			token("grant_type", "password", "username", "user_email@email.com", "password", "user_password", "scope", "admin"),
			refusal{403, "AUTH-7", "invalid_scope", "", ""}},
		{"AUTH-7 malformed scope", "POST", "/public/token",
			token("grant_type", "password", "username", "user_email@email.com", "password", "user_password", "scope", `us"er`),
			refusal{403, "AUTH-7", "invalid_scope", "", ""}},
		{"AUTH-7 scope asked of the partner system", "POST", "/partner/tokens",
			with(basic("other-partner", "other-partner-secret"), body("application/json", `{"scopes":["usage:read"]}`)),
			refusal{403, "AUTH-7", "invalid_scope", challengeBasic, ""}},
		{"AUTH-7 scope needed", "GET", "/partner/onboarding", with(basic("demo-partner", usageOnly)),
			refusal{403, "AUTH-7", "insufficient_scope", challengeBasic, ""}},
		{"AUTH-9 T01 refresh token as access token", "GET", "/user/me", with(demoKey, bearer(refresh)),
			refusal{400, "AUTH-9", "invalid_token", challengeBearer("invalid_token"), ""}},
		{"AUTH-9 T02 access token as refresh token", "POST", "/public/token",
			token("grant_type", "refresh_token", "refresh_token", access),
			refusal{400, "AUTH-9", "invalid_grant", "", ""}},
		{"AUTH-10 at a resource", "GET", "/user/me", with(demoKey, bearer(flipSignature(access))),
			refusal{400, "AUTH-10", "invalid_token", challengeBearer("invalid_token"), ""}},
		{"AUTH-10 at the token endpoint", "POST", "/public/token",
			token("grant_type", "refresh_token", "refresh_token", flipSignature(access)),
			refusal{400, "AUTH-10", "invalid_grant", "", ""}},
		{"AUTH-12 unknown token", "GET", "/user/me", with(demoKey, bearer("nonsense")),
			refusal{404, "AUTH-12", "invalid_token", challengeBearer("invalid_token"), ""}},
		{"AUTH-12 T08 token of another system", "GET", "/user/me", with(demoKey, bearer(foreign)),
			refusal{404, "AUTH-12", "invalid_token", challengeBearer("invalid_token"), ""}},
		{"AUTH-12 T05 API key as token", "GET", "/user/me", with(demoKey, bearer("my_api_key")),
			refusal{404, "AUTH-12", "invalid_token", challengeBearer("invalid_token"), ""}},
		{"AUTH-12 unknown refresh token", "POST", "/public/token",
			token("grant_type", "refresh_token", "refresh_token", "nonsense"),
			refusal{404, "AUTH-12", "invalid_grant", "", ""}},
	})
}

func TestRFCDialect(t *testing.T) {
	t.Parallel()
	w := sharedDemo(t)
	granted := w.oauth2Grant()
	access, refresh := granted.text("access_token"), granted.text("refresh_token")
	upload, base := w.clientToken("upload_files"), w.clientToken("base")
	foreign := w.tiersGrant().text("access_token")
	token := func(pairs ...string) []option { return with(basic("demo-client", "demo-secret"), form(pairs...)) }
	garbled := refusal{401, "AUTH-12", "invalid_token", challengeBearer("invalid_token"), ""}

	w.exchanges(t, []exchange{
		{"AUTH-1 client", "POST", "/oauth2/token", with(basic("demo-client", "wrong"), form("grant_type", "client_credentials")),
			refusal{401, "AUTH-1", "invalid_client", challengeBasic, ""}},
		{"AUTH-1 client in the body", "POST", "/oauth2/token",
			with(form("grant_type", "client_credentials", "client_id", "demo-client", "client_secret", "wrong")),
			refusal{401, "AUTH-1", "invalid_client", challengeBasic, ""}},
		{"AUTH-1 user", "POST", "/oauth2/token",
			token("grant_type", "password", "username", "user_email@email.com", "password", "wrong"),
			refusal{400, "AUTH-1", "invalid_grant", "", ""}},
		{"AUTH-2 at the token endpoint", "POST", "/oauth2/token", with(form("grant_type", "client_credentials")),
			refusal{401, "AUTH-2", "invalid_client", challengeBasic, `"Authorization"`}},
		{"AUTH-2 at introspection", "POST", "/oauth2/introspect", with(form("token", "x")),
			refusal{401, "AUTH-2", "invalid_client", challengeBasic, `"Authorization"`}},
		{"AUTH-2 at revocation", "POST", "/oauth2/revoke", with(form("token", "x")),
			refusal{401, "AUTH-2", "invalid_client", challengeBasic, `"Authorization"`}},
		{"AUTH-2 at a resource", "GET", "/v1/me", nil,
			refusal{401, "AUTH-2", "invalid_request", challengeBare, `"Authorization"`}},
		{"AUTH-3 at the token endpoint", "POST", "/oauth2/token", with(header("Authorization", "Basic ***"), form("grant_type", "client_credentials")),
			refusal{401, "AUTH-3", "invalid_client", challengeBasic, `"Authorization"`}},
		{"AUTH-3 another scheme at the token endpoint", "POST", "/oauth2/token", with(bearer(base), form("grant_type", "client_credentials")),
			refusal{401, "AUTH-3", "invalid_client", challengeBasic, `"Authorization"`}},
		{"AUTH-3 at introspection", "POST", "/oauth2/introspect", with(header("Authorization", "Basic ***"), form("token", "x")),
			refusal{401, "AUTH-3", "invalid_client", challengeBasic, `"Authorization"`}},
		{"AUTH-3 at revocation", "POST", "/oauth2/revoke", with(header("Authorization", "Basic ***"), form("token", "x")),
			refusal{401, "AUTH-3", "invalid_client", challengeBasic, `"Authorization"`}},
		{"AUTH-3 at a resource", "GET", "/v1/me", with(header("Authorization", "Bearer a b")),
			refusal{400, "AUTH-3", "invalid_request", challengeBearer("invalid_request"), `"Authorization"`}},
		{"AUTH-3 several headers at a resource", "GET", "/v1/me", with(bearer(base), bearer(base)),
			refusal{400, "AUTH-3", "invalid_request", challengeBearer("invalid_request"), `"Authorization"`}},
		{"AUTH-3 another scheme at a resource", "GET", "/v1/me", with(basic("demo-client", "demo-secret")),
			refusal{401, "AUTH-3", "invalid_request", challengeBare, `"Authorization"`}},
		{"AUTH-3 an unknown scheme at a resource", "GET", "/v1/me", with(header("Authorization", "Negotiate abc")),
			refusal{401, "AUTH-3", "invalid_request", challengeBare, `"Authorization"`}},
		{"AUTH-6 parameter missing", "POST", "/oauth2/token", token("scope", "base"),
			refusal{400, "AUTH-6", "invalid_request", "", "grant_type"}},
		{"AUTH-6 parameter missing at introspection", "POST", "/oauth2/introspect", token("scope", "base"),
			refusal{400, "AUTH-6", "invalid_request", "", "token"}},
		{"AUTH-6 parameter missing at revocation", "POST", "/oauth2/revoke", token("scope", "base"),
			refusal{400, "AUTH-6", "invalid_request", "", "token"}},
		{"AUTH-6 parameter repeated", "POST", "/oauth2/token", token("grant_type", "client_credentials", "scope", "base", "scope", "files"),
			refusal{400, "AUTH-6", "invalid_request", "", "scope"}},
		{"AUTH-6 unsupported grant", "POST", "/oauth2/token", token("grant_type", "authorization_code"),
			refusal{400, "AUTH-6", "unsupported_grant_type", "", "grant_type"}},
		{"AUTH-7 scope asked for", "POST", "/oauth2/token", token("grant_type", "client_credentials", "scope", "admin"),
			refusal{400, "AUTH-7", "invalid_scope", "", ""}},
		{"AUTH-7 malformed scope", "POST", "/oauth2/token", token("grant_type", "client_credentials", "scope", "base  files"),
			refusal{400, "AUTH-7", "invalid_scope", "", ""}},
		{"AUTH-7 one scope needed", "GET", "/v1/me", with(bearer(upload)),
			refusal{403, "AUTH-7", "insufficient_scope", challengeScope("base"), ""}},
		{"AUTH-7 one of two scopes needed", "GET", "/v1/img/a.png", with(bearer(upload)),
			refusal{403, "AUTH-7", "insufficient_scope", challengeScope("files base"), ""}},
		{"AUTH-9 T01 refresh token as access token", "GET", "/v1/me", with(bearer(refresh)),
			refusal{401, "AUTH-9", "invalid_token", challengeBearer("invalid_token"), ""}},
		{"AUTH-9 T02 access token as refresh token", "POST", "/oauth2/token", token("grant_type", "refresh_token", "refresh_token", access),
			refusal{400, "AUTH-9", "invalid_grant", "", ""}},
		{"AUTH-10 at a resource", "GET", "/v1/me", with(bearer(flipSignature(access))),
			refusal{401, "AUTH-10", "invalid_token", challengeBearer("invalid_token"), ""}},
		{"AUTH-10 at the token endpoint", "POST", "/oauth2/token", token("grant_type", "refresh_token", "refresh_token", flipSignature(access)),
			refusal{400, "AUTH-10", "invalid_grant", "", ""}},
		{"AUTH-12 unknown token", "GET", "/v1/me", with(bearer("nonsense")), garbled},
		{"AUTH-12 T08 token of another system", "GET", "/v1/me", with(bearer(foreign)), garbled},
		{"AUTH-12 T05 API key as token", "GET", "/v1/me", with(bearer("my_api_key")), garbled},
		{"AUTH-12 unknown refresh token", "POST", "/oauth2/token", token("grant_type", "refresh_token", "refresh_token", "nonsense"),
			refusal{400, "AUTH-12", "invalid_grant", "", ""}},
		{"AUTH-12 T08 refresh token of nobody here", "POST", "/oauth2/token", token("grant_type", "refresh_token", "refresh_token", foreign),
			refusal{400, "AUTH-12", "invalid_grant", "", ""}},
	})
}

// In the session system every refused credential is 401, and the rest is RFC.
func TestSessionDialect(t *testing.T) {
	t.Parallel()
	w := sharedDemo(t)
	session, cookie := w.sessionLogin()
	_, otherCookie := w.sessionLogin()
	access := w.clientToken("base")
	malformed := refusal{401, "AUTH-3", "invalid_request", challengeBasic, ""}

	w.exchanges(t, []exchange{
		{"AUTH-1 login", "GET", "/api/login", with(basic("demo", "wrong")),
			refusal{401, "AUTH-1", "invalid_token", challengeBasic, ""}},
		{"AUTH-1 login by form", "POST", "/api/login", with(form("username", "demo", "password", "wrong")),
			refusal{401, "AUTH-1", "invalid_token", challengeBasic, ""}},
		{"AUTH-1 token without its cookie", "GET", "/api/me", with(custom("Bearer " + session)),
			refusal{401, "AUTH-1", "invalid_token", challengeBearer("invalid_token"), ""}},
		{"AUTH-1 token with another session's cookie", "GET", "/api/me", with(custom("Bearer "+session), otherCookie),
			refusal{401, "AUTH-1", "invalid_token", challengeBearer("invalid_token"), ""}},
		{"AUTH-2 login", "GET", "/api/login", nil,
			refusal{401, "AUTH-2", "invalid_request", challengeBasic, `"Authorization"`}},
		{"AUTH-1 login by a script", "POST", "/api/login", with(form("username", "demo", "password", "wrong"), header("Sec-Fetch-Dest", "empty")),
			refusal{401, "AUTH-1", "invalid_token", challengeBare, ""}},
		{"AUTH-3 login by a script", "GET", "/api/login", with(header("Authorization", "Basic ***"), header("Sec-Fetch-Dest", "empty")),
			refusal{401, "AUTH-3", "invalid_request", challengeBare, ""}},
		{"AUTH-1 login by a page", "GET", "/api/login", with(basic("demo", "wrong"), header("Sec-Fetch-Dest", "document")),
			refusal{401, "AUTH-1", "invalid_token", challengeBasic, ""}},
		{"AUTH-6 login by a script", "GET", "/api/login?_json=maybe", with(basic("demo", "demo-password"), header("Sec-Fetch-Dest", "empty")),
			refusal{400, "AUTH-6", "invalid_request", "", "_json"}},
		{"AUTH-2 the custom header", "GET", "/api/me", with(cookie),
			refusal{401, "AUTH-2", "invalid_request", challengeBare, `"X-Simplicite-Authorization"`}},
		{"AUTH-2 logout", "POST", "/api/logout", nil,
			refusal{401, "AUTH-2", "invalid_request", challengeBare, `"X-Simplicite-Authorization"`}},
		{"AUTH-3 login", "GET", "/api/login", with(header("Authorization", "Basic ***")), malformed},
		{"AUTH-3 login with several headers", "GET", "/api/login", with(basic("demo", "demo-password"), basic("demo", "demo-password")), malformed},
		{"AUTH-3 login with another scheme", "GET", "/api/login", with(bearer(session)), malformed},
		{"AUTH-3 login by the custom header", "GET", "/api/login", with(custom("Basic ***"), basic("demo", "demo-password")), malformed},
		{"AUTH-3 H08 login over 8 KiB", "GET", "/api/login", with(custom("Basic " + strings.Repeat("a", 8192))), malformed},
		{"AUTH-3 H08 login over 8 KiB in Authorization", "GET", "/api/login", with(header("Authorization", "Basic "+strings.Repeat("a", 8192))), malformed},
		{"AUTH-3 token", "GET", "/api/me", with(custom("Bearer a b"), cookie),
			refusal{401, "AUTH-3", "invalid_request", challengeBearer("invalid_request"), `"X-Simplicite-Authorization"`}},
		{"AUTH-3 another scheme", "GET", "/api/me", with(custom("Basic abcd"), cookie),
			refusal{401, "AUTH-3", "invalid_request", challengeBare, `"X-Simplicite-Authorization"`}},
		{"AUTH-6 is no credential", "GET", "/api/login?_json=maybe", with(basic("demo", "demo-password")),
			refusal{400, "AUTH-6", "invalid_request", "", "_json"}},
		{"AUTH-12 garbled token", "GET", "/api/me", with(custom("Bearer nonsense"), cookie),
			refusal{401, "AUTH-12", "invalid_token", challengeBearer("invalid_token"), ""}},
		{"AUTH-12 T08 token of another system", "GET", "/api/me", with(custom("Bearer "+access), cookie),
			refusal{401, "AUTH-12", "invalid_token", challengeBearer("invalid_token"), ""}},
	})
	w.do("GET", "/api/me", custom("Bearer "+session), cookie).want(t, 200, "")
}

// An answer never contains text of the refused request.
func TestRefusalsEchoNothing(t *testing.T) {
	t.Parallel()
	w := sharedDemo(t)
	const canary = "kanari7"
	key, client, partner := demoKey, basic("demo-client", "demo-secret"), basic("demo-partner", "demo-partner-secret")
	base, upload := w.clientToken("base"), w.clientToken("upload_files")
	inJSON := func(s string) option { return body("application/json", s) }
	for _, tt := range []struct {
		name, method, path string
		options            []option
	}{
		{"path", "GET", "/" + canary, nil},
		{"path behind a guard", "GET", "/public/" + canary, with(key)},
		{"path of a resource", "GET", "/v1/img/" + canary, nil},
		{"method", canary, "/ext/ping", nil},
		{"query", "GET", "/nowhere?" + canary + "=" + canary, nil},
		{"API key", "GET", "/public/ping", with(header("X-API-KEY", canary))},
		{"API keys", "GET", "/public/ping", with(header("X-API-KEY", canary), header("X-API-KEY", canary))},
		{"H20 scheme", "GET", "/v1/me", with(header("Authorization", canary+` "x", error="`+canary+`"`))},
		{"H20 token", "GET", "/v1/me", with(header("Authorization", `Bearer "`+canary+`", realm="`+canary+`"`))},
		{"garbled token", "GET", "/v1/me", with(bearer(canary))},
		{"garbled JWT", "GET", "/v1/me", with(bearer(canary + "." + canary + "." + canary))},
		{"query token", "GET", "/v1/img/x?access_token=" + canary, nil},
		{"two tokens", "GET", "/v1/img/x?access_token=" + canary + "&access_token=" + canary, nil},
		{"broken query", "GET", "/v1/img/x?" + canary + ";" + canary + "%zz", nil},
		{"name and secret", "GET", "/partner/", with(basic(canary, canary))},
		{"client at the token endpoint", "POST", "/oauth2/token", with(basic(canary, canary), form("grant_type", "client_credentials"))},
		{"client in the body", "POST", "/oauth2/token", with(form("client_id", canary, "client_secret", canary))},
		{"another client in the body", "POST", "/oauth2/token", with(client, form("client_id", canary))},
		{"grant_type", "POST", "/oauth2/token", with(client, form("grant_type", canary))},
		{"grant_type in the query", "POST", "/oauth2/token?grant_type=" + canary, with(client)},
		{"scope", "POST", "/oauth2/token", with(client, form("grant_type", "client_credentials", "scope", canary))},
		{"H20 malformed scope", "POST", "/oauth2/token", with(client, form("grant_type", "client_credentials", "scope", `"`+canary+"\r\n"))},
		{"user and password", "POST", "/oauth2/token", with(client, form("grant_type", "password", "username", canary, "password", canary))},
		{"refresh token", "POST", "/oauth2/token", with(client, form("grant_type", "refresh_token", "refresh_token", canary))},
		{"JSON member", "POST", "/oauth2/token", with(client, inJSON(`{"grant_type":{"`+canary+`":1}}`))},
		{"broken JSON", "POST", "/oauth2/token", with(client, inJSON(`{"`+canary+`"`))},
		{"broken form", "POST", "/oauth2/token", with(client, body("application/x-www-form-urlencoded", canary+"=%"+canary))},
		{"media type", "POST", "/oauth2/token", with(client, body("application/"+canary, "x"))},
		{"character set", "POST", "/oauth2/token", with(client, body("application/json; charset="+canary, "{}"))},
		{"boundary", "POST", "/oauth2/token", with(client, body("multipart/form-data; boundary="+canary, "--"+canary+"x"))},
		{"scope needed", "GET", "/v1/me?" + canary, with(bearer(upload), header("X-Kanari", canary))},
		{"partner scope", "POST", "/partner/tokens", with(partner, inJSON(`{"scopes":["`+canary+`"]}`))},
		{"partner expiry", "POST", "/partner/tokens", with(partner, inJSON(`{"expires_in":"`+canary+`"}`))},
		{"partner verify", "POST", "/partner/tokens/verify", with(partner, inJSON(`{"token":"`+canary+`"}`))},
		{"partner token type", "POST", "/partner/tokens/verify", with(partner, inJSON(`{"token":"`+base+`","type":"`+canary+`"}`))},
		{"usage dates", "GET", "/partner/usages?api_name=" + canary + "&start_date=" + canary + "&end_date=" + canary, with(partner)},
		{"login", "GET", "/api/login", with(basic(canary, canary))},
		{"login by form", "POST", "/api/login", with(form("username", canary, "password", canary))},
		{"login in the query", "GET", "/api/login?username=" + canary + "&password=" + canary, nil},
		{"login output", "GET", "/api/login?_output=" + canary, with(basic("demo", "demo-password"))},
		{"redirect", "GET", "/api/login?redirect_uri=http://" + canary + "/", with(basic("demo", "demo-password"))},
		{"session token", "GET", "/api/me", with(custom("Bearer "+canary), header("Cookie", "JSESSIONID="+canary))},
		{"Host", "GET", "/nowhere", with(header("X-Forwarded-Host", canary))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.do(tt.method, tt.path, tt.options...)
			if a.status < 400 || a.status > 499 || a.text("code") == "" {
				t.Fatalf("got %d %s, want a refusal", a.status, a.body)
			}
			for _, secret := range []string{canary, "my_api_key", "demo-secret", "demo-partner-secret", "demo-password", base, upload} {
				if all := strings.ToLower(fmt.Sprint(a.header, a.body)); strings.Contains(all, strings.ToLower(secret)) {
					t.Errorf("the answer holds %q: %v %s", secret, a.header, a.body)
				}
			}
			if d := a.text("error_description"); d != oauthText(a.text("message")) {
				t.Errorf("error_description %q, message %q", d, a.text("message"))
			}
		})
	}
}

func TestO10AnswersWithTokensAreNotStored(t *testing.T) {
	t.Parallel()
	w := sharedDemo(t)
	client, partner := basic("demo-client", "demo-secret"), basic("demo-partner", "demo-partner-secret")
	token := w.clientToken("base")
	p := w.partnerToken("demo-partner", "onboarding")
	session, cookie := w.sessionLogin()
	for _, tt := range []struct {
		name, method, path string
		options            []option
		status             int
	}{
		{"token by API key", "POST", "/public/token", with(demoKey, form("grant_type", "password", "username", "user_email@email.com", "password", "user_password")), 200},
		{"token", "POST", "/oauth2/token", with(client, form("grant_type", "client_credentials")), 200},
		{"live token introspected", "POST", "/oauth2/introspect", with(client, form("token", token)), 200},
		{"unknown token introspected", "POST", "/oauth2/introspect", with(client, form("token", "x")), 200},
		{"token revoked", "POST", "/oauth2/revoke", with(client, form("token", token)), 200},
		{"unknown token revoked", "POST", "/oauth2/revoke", with(client, form("token", "x")), 200},
		{"partner token", "POST", "/partner/tokens", with(partner), 201},
		{"partner token verified", "POST", "/partner/tokens/verify", with(partner, body("application/json", `{"token":"`+p+`"}`)), 200},
		{"login", "GET", "/api/login", with(basic("demo", "demo-password")), 200},
		{"login as JSON", "POST", "/api/login?_json=true", with(form("username", "demo", "password", "demo-password")), 200},
		{"redirect with a token", "GET", "/api/login?redirect_uri=http://127.0.0.1:9/callback", with(basic("demo", "demo-password")), 302},
		{"logout", "POST", "/api/logout", with(custom("Bearer "+session), cookie), 204},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.do(tt.method, tt.path, tt.options...)
			if a.status != tt.status || !slices.Equal(a.header.Values("Cache-Control"), []string{"no-store"}) {
				t.Errorf("got %d, Cache-Control %q, want %d, no-store", a.status, a.header.Values("Cache-Control"), tt.status)
			}
		})
	}
}

// An unknown client or user gets the same answer as a known one with a wrong secret.
func TestO16UnknownAndWrongLookTheSame(t *testing.T) {
	t.Parallel()
	w := sharedDemo(t)
	client := basic("demo-client", "demo-secret")
	password := func(user string) option {
		return form("grant_type", "password", "username", user, "password", "wrong")
	}
	same := func(name string, a, b *answer) {
		t.Run("O16 "+name, func(t *testing.T) {
			a.header.Del("Date")
			b.header.Del("Date")
			if a.text("code") != "AUTH-1" || a.status != b.status || a.body != b.body || fmt.Sprint(a.header) != fmt.Sprint(b.header) {
				t.Errorf("known: %d %v %s\nunknown: %d %v %s", a.status, a.header, a.body, b.status, b.header, b.body)
			}
		})
	}
	same("client at the token endpoint",
		w.do("POST", "/oauth2/token", basic("demo-client", "wrong"), password("x")),
		w.do("POST", "/oauth2/token", basic("nobody", "wrong"), password("x")))
	same("client in the body",
		w.do("POST", "/oauth2/token", form("client_id", "demo-client", "client_secret", "wrong")),
		w.do("POST", "/oauth2/token", form("client_id", "nobody", "client_secret", "wrong")))
	same("user of oauth2", w.do("POST", "/oauth2/token", client, password("user_email@email.com")), w.do("POST", "/oauth2/token", client, password("nobody")))
	same("user of tiers", w.do("POST", "/public/token", demoKey, password("user_email@email.com")), w.do("POST", "/public/token", demoKey, password("nobody")))
	same("partner", w.do("GET", "/partner/", basic("demo-partner", "wrong")), w.do("GET", "/partner/", basic("nobody", "wrong")))
	same("login", w.do("GET", "/api/login", basic("demo", "wrong")), w.do("GET", "/api/login", basic("nobody", "wrong")))
}

// Wrappers answer in the order of the tier: key, then token, then scope.
func TestWrappersAnswerInOrder(t *testing.T) {
	t.Parallel()
	w := sharedDemo(t)
	access := w.tiersGrant().text("access_token")
	wrongKey, junk := header("X-API-KEY", "wrong"), bearer("junk")
	w.exchanges(t, []exchange{
		{"nothing", "GET", "/user/me", nil, refusal{401, "AUTH-2", "invalid_request", challengeKey, "X-API-KEY"}},
		{"T04 good token without a key", "GET", "/user/me", with(bearer(access)), refusal{401, "AUTH-2", "invalid_request", challengeKey, "X-API-KEY"}},
		{"wrong key, no token", "GET", "/pro/ping", with(wrongKey), refusal{401, "AUTH-1", "invalid_token", challengeKey, ""}},
		{"wrong key, junk token", "GET", "/pro/ping", with(wrongKey, junk), refusal{401, "AUTH-1", "invalid_token", challengeKey, ""}},
		{"wrong key, good token", "GET", "/user/me", with(wrongKey, bearer(access)), refusal{401, "AUTH-1", "invalid_token", challengeKey, ""}},
		{"two keys, two tokens", "GET", "/user/me", with(demoKey, demoKey, junk, junk), refusal{401, "AUTH-3", "invalid_request", challengeKey, "X-API-KEY"}},
		{"good key, no token", "GET", "/pro/ping", with(demoKey), refusal{401, "AUTH-2", "invalid_request", challengeBare, "Authorization"}},
		{"good key, junk token", "GET", "/pro/ping", with(demoKey, junk), refusal{404, "AUTH-12", "invalid_token", challengeBearer("invalid_token"), ""}},
	})
}
