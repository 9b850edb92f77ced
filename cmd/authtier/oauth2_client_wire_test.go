package main

import (
	"slices"
	"testing"
)

func TestClientAuthentication(t *testing.T) {
	w := sharedDemo(t)
	post := []string{"client_id", "demo-client", "client_secret", "demo-secret"}
	for _, tt := range []struct {
		name        string
		headers     []option
		pairs       []string
		status      int
		code, oauth string
	}{
		{"Basic", []option{asDemoClient}, nil, 200, "", ""},
		{"body", nil, post, 200, "", ""},
		{"body beside an empty header", []option{header("Authorization", "")}, post, 200, "", ""},
		{"Basic and the same ID", []option{asDemoClient}, post[:2], 200, "", ""},
		{"Basic form-encoded H10", []option{basicOf("demo%2Dclient:demo%2dsecret")}, nil, 200, "", ""},
		{"Basic with a form-encoded ID H10", []option{basicOf("demo%2Dclient:demo-secret")}, nil, 200, "", ""},
		{"Basic with a form-encoded secret H10", []option{basicOf("demo-client:demo%2Dsecret")}, nil, 200, "", ""},
		{"Basic form-encoded and the same ID H10", []option{basicOf("demo%2Dclient:demo-secret")}, post[:2], 200, "", ""},

		{"Basic form-encoded twice H10", []option{basicOf("demo%252Dclient:demo-secret")}, nil, 401, "AUTH-1", "invalid_client"},
		{"Basic not decodable H10", []option{basicOf("demo-client:demo%zz")}, nil, 401, "AUTH-1", "invalid_client"},
		{"Basic form-encoded and wrong H10", []option{basicOf("demo-client:demo%2Dsecre")}, nil, 401, "AUTH-1", "invalid_client"},
		{"nothing", nil, nil, 401, "AUTH-2", "invalid_client"},
		{"an empty header", []option{header("Authorization", "")}, nil, 401, "AUTH-2", "invalid_client"},
		{"wrong secret", []option{basic("demo-client", "wrong")}, nil, 401, "AUTH-1", "invalid_client"},
		{"unknown client", []option{basic("nobody", "demo-secret")}, nil, 401, "AUTH-1", "invalid_client"},
		{"empty secret O07", []option{basic("demo-client", "")}, nil, 401, "AUTH-1", "invalid_client"},
		{"empty ID", []option{basic("", "demo-secret")}, nil, 401, "AUTH-1", "invalid_client"},
		{"another system's client", []option{basic("demo-partner", "demo-partner-secret")}, nil, 401, "AUTH-1", "invalid_client"},
		{"an API key's client and key", []option{basic("demo-app", "my_api_key")}, nil, 401, "AUTH-1", "invalid_client"},
		{"body with wrong secret", nil, []string{"client_id", "demo-client", "client_secret", "wrong"}, 401, "AUTH-1", "invalid_client"},
		{"body form-encoded twice H10", nil, []string{"client_id", "demo%2Dclient", "client_secret", "demo-secret"}, 401, "AUTH-1", "invalid_client"},
		{"ID alone O07", nil, post[:2], 401, "AUTH-1", "invalid_client"},
		{"ID and an empty secret O07", nil, []string{"client_id", "demo-client", "client_secret", ""}, 401, "AUTH-1", "invalid_client"},
		{"Bearer", []option{bearer("x")}, nil, 401, "AUTH-3", "invalid_client"},
		{"bad base64", []option{header("Authorization", "Basic ?")}, nil, 401, "AUTH-3", "invalid_client"},
		{"no colon", []option{basicOf("demo-client")}, nil, 401, "AUTH-3", "invalid_client"},
		{"two headers H01", []option{asDemoClient, asDemoClient}, nil, 401, "AUTH-3", "invalid_client"},
		{"malformed header beside the body", []option{header("Authorization", "Basic ?")}, post, 401, "AUTH-3", "invalid_client"},
		{"secret in both O07", []option{asDemoClient}, post, 400, "AUTH-6", "invalid_request"},
		{"secret in both, the header's wrong O07", []option{basic("demo-client", "wrong")}, post, 400, "AUTH-6", "invalid_request"},
		{"secret in both without an ID O07", []option{asDemoClient}, post[2:], 400, "AUTH-6", "invalid_request"},
		{"Basic and another ID O07", []option{asDemoClient}, []string{"client_id", "other"}, 400, "AUTH-6", "invalid_request"},
		{"Basic and the ID in other case O07", []option{asDemoClient}, []string{"client_id", "Demo-Client"}, 400, "AUTH-6", "invalid_request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for path, pairs := range map[string][]string{
				"/oauth2/token":      {"grant_type", "client_credentials"},
				"/oauth2/introspect": {"token", "x"},
				"/oauth2/revoke":     {"token", "x"},
			} {
				a := w.do("POST", path, append(slices.Clone(tt.headers), form(append(pairs, tt.pairs...)...))...)
				a.wantOAuth(t, tt.status, tt.code, tt.oauth)
				challenge := ""
				if tt.status == 401 {
					challenge = `Basic realm="api", charset="UTF-8"`
				}
				if got := a.header.Get("WWW-Authenticate"); got != challenge {
					t.Errorf("%s: WWW-Authenticate is %q, want %q", path, got, challenge)
				}
				if cc := a.header.Get("Cache-Control"); cc != "no-store" {
					t.Errorf("%s: Cache-Control is %q O10", path, cc)
				}
			}
		})
	}
}

func TestClientAuthenticationInEveryBody(t *testing.T) {
	w := sharedDemo(t)
	pairs := []string{"grant_type", "client_credentials", "client_id", "demo-client", "client_secret", "demo-secret"}
	w.do("POST", "/oauth2/token", multipartBody(pairs...)).want(t, 200, "")
	w.do("POST", "/oauth2/token", body(mimeJSON,
		`{"grant_type":"client_credentials","client_id":"demo-client","client_secret":"demo-secret"}`)).want(t, 200, "")
}

// The tiers system's token endpoint stands behind an API key.
func TestTiersTokenEndpoint(t *testing.T) {
	w := sharedDemo(t)
	key := header("X-API-KEY", "my_api_key")
	user := []string{"grant_type", "password", "username", userLogin, "password", userPassword}
	for _, tt := range []struct {
		name        string
		options     []option
		status      int
		code, oauth string
	}{
		{"no API key", []option{form(user...)}, 401, "AUTH-2", "invalid_request"},
		{"Basic in place of the API key", []option{asDemoClient, form(user...)}, 401, "AUTH-2", "invalid_request"},
		{"wrong API key", []option{header("X-API-KEY", "x"), form(user...)}, 401, "AUTH-1", "invalid_token"},
		{"password", []option{key, form(user...)}, 200, "", ""},
		{"multipart", []option{key, multipartBody(user...)}, 200, "", ""},
		{"JSON", []option{key, body(mimeJSON, `{"grant_type":"password","username":"`+userLogin+`","password":"`+userPassword+`"}`)}, 200, "", ""},
		{"Authorization ignored H17", []option{key, basic("nobody", "x"), form(user...)}, 200, "", ""},
		{"garbled Authorization ignored H17", []option{key, header("Authorization", "\x80"), form(user...)}, 200, "", ""},
		{"several Authorization ignored H17", []option{key, asDemoClient, bearer("x"), form(user...)}, 200, "", ""},
		{"client in the body ignored", []option{key, form(append(user, "client_id", "other", "client_secret", "x")...)}, 200, "", ""},
		{"client ID in the body ignored", []option{key, form(append(user, "client_id", "other")...)}, 200, "", ""},
		{"secret in both ignored", []option{key, asDemoClient, form(append(user, "client_secret", "x")...)}, 200, "", ""},
		{"repeated client in the body ignored", []option{key, form(append(user, "client_id", "a", "client_id", "b")...)}, 200, "", ""},
		{"client of another JSON type ignored", []option{key, body(mimeJSON, `{"grant_type":"password","username":"`+userLogin+`","password":"`+userPassword+`","client_secret":1}`)}, 200, "", ""},
		{"client credentials O08", []option{key, form("grant_type", "client_credentials")}, 422, "AUTH-6", "unauthorized_client"},
		{"unknown grant O08", []option{key, form("grant_type", "implicit")}, 422, "AUTH-6", "unsupported_grant_type"},
		{"no grant", []option{key, form()}, 422, "AUTH-6", "invalid_request"},
		{"repeated O01", []option{key, form("grant_type", "password", "grant_type", "password")}, 422, "AUTH-6", "invalid_request"},
		{"wrong password", []option{key, form("grant_type", "password", "username", userLogin, "password", "x")}, 401, "AUTH-1", "invalid_grant"},
		{"scope it may not have", []option{key, form(append(user, "scope", "base")...)}, 403, "AUTH-7", "invalid_scope"},
		{"malformed scope", []option{key, form(append(user, "scope", "user ")...)}, 403, "AUTH-7", "invalid_scope"},
		{"unknown refresh token", []option{key, form("grant_type", "refresh_token", "refresh_token", "x")}, 404, "AUTH-12", "invalid_grant"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.do("POST", "/public/token", tt.options...)
			a.wantOAuth(t, tt.status, tt.code, tt.oauth)
			if tt.status == 200 && (a.text("scope") != "user" || a.field("expires_in") != 86400.0 || a.text("refresh_token") == "") {
				t.Errorf("got %s", a.body)
			}
			challenge := a.header.Get("WWW-Authenticate")
			if tt.status == 401 && challenge != `ApiKey realm="api"` {
				t.Errorf("WWW-Authenticate is %q, want an ApiKey challenge", challenge)
			}
		})
	}
	a := w.do("GET", "/public/token?grant_type=password", key)
	a.wantOAuth(t, 405, "AUTH-6", "invalid_request")
	if a.header.Get("Allow") != "POST" {
		t.Errorf("Allow is %q", a.header.Get("Allow"))
	}
}

func TestTiersRefresh(t *testing.T) {
	w := sharedDemo(t)
	key := header("X-API-KEY", "my_api_key")
	refresh := func(token string) *answer {
		return w.do("POST", "/public/token", key, form("grant_type", "refresh_token", "refresh_token", token))
	}
	first := w.do("POST", "/public/token", key, form("grant_type", "password", "username", userLogin, "password", userPassword))
	w.do("GET", "/user/me", key, bearer(first.text("refresh_token"))).want(t, 400, "AUTH-9") // T01
	refresh(first.text("access_token")).wantOAuth(t, 400, "AUTH-9", "invalid_grant")         // T02
	second := refresh(first.text("refresh_token"))
	second.want(t, 200, "")
	if second.field("expires_in") != 86400.0 || second.text("scope") != "user" ||
		second.text("refresh_token") == first.text("refresh_token") || second.text("access_token") == first.text("access_token") {
		t.Errorf("got %s", second.body)
	}
	me := w.do("GET", "/user/me", key, bearer(second.text("access_token")))
	if me.status != 200 || me.text("user") != userLogin || me.text("client_id") != "demo-app" || me.text("scope") != "user" {
		t.Errorf("got %d %s", me.status, me.body)
	}
	refresh(first.text("refresh_token")).wantOAuth(t, 404, "AUTH-12", "invalid_grant") // R01
	refresh(second.text("refresh_token")).wantOAuth(t, 404, "AUTH-12", "invalid_grant")
	for _, a := range []*answer{first, second} {
		w.do("GET", "/user/me", key, bearer(a.text("access_token"))).want(t, 404, "AUTH-12")
	}
	if second.text("token_type") != "bearer" {
		t.Errorf("token_type is %q", second.text("token_type"))
	}
}
