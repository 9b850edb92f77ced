package main

import (
	"image/png"
	"strings"
	"testing"
)

func TestDemoRoutes(t *testing.T) {
	w := sharedDemo(t)
	key := header("X-API-KEY", "my_api_key")
	user := w.do("POST", "/public/token", key, form("grant_type", "password", "username", userLogin, "password", userPassword)).text("access_token")
	base := bearer(tokens(t, w, "grant_type", "client_credentials").text("access_token"))
	files := tokens(t, w, "grant_type", "client_credentials", "scope", "files").text("access_token")
	upload := tokens(t, w, "grant_type", "client_credentials", "scope", "upload_files").text("access_token")
	for _, tt := range []struct {
		name, method, path string
		options            []option
		status             int
		code, body         string
	}{
		{"open ping", "GET", "/ext/ping", nil, 200, "", "pong"},
		{"public ping", "GET", "/public/ping", []option{key}, 200, "", "pong"},
		{"pro ping", "GET", "/pro/ping", []option{key, bearer(user)}, 200, "", "pong"},
		{"metered ping", "GET", "/partner/onboarding", []option{asPartner}, 200, "", "pong"},
		{"upload by base", "POST", "/v1/files", []option{base}, 201, "", ""},
		{"upload by upload_files", "POST", "/v1/files", []option{bearer(upload)}, 201, "", ""},
		{"upload by files", "POST", "/v1/files", []option{bearer(files)}, 403, "AUTH-7", ""},
		{"image by base in the header", "GET", "/v1/img/a.png", []option{base}, 200, "", ""},
		{"image by files in the header", "GET", "/v1/img/a.png", []option{bearer(files)}, 200, "", ""},
		{"image by upload_files", "GET", "/v1/img/a.png", []option{bearer(upload)}, 403, "AUTH-7", ""},
		{"image by upload_files in the query", "GET", "/v1/img/a.png?access_token=" + upload, nil, 403, "AUTH-7", ""},
		{"image by files in the query", "GET", "/v1/img/other?access_token=" + files, nil, 200, "", ""},
		{"image by nobody", "GET", "/v1/img/a.png", nil, 401, "AUTH-2", ""},
		{"me by files", "GET", "/v1/me", []option{bearer(files)}, 403, "AUTH-7", ""},
		{"me by query", "GET", "/v1/me?access_token=" + files, nil, 401, "AUTH-2", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.do(tt.method, tt.path, tt.options...)
			a.want(t, tt.status, tt.code)
			if tt.body != "" && a.body != tt.body {
				t.Errorf("body is %q, want %q", a.body, tt.body)
			}
			if tt.status == 200 && strings.Contains(tt.path, "/img/") {
				if _, err := png.Decode(strings.NewReader(a.body)); err != nil || a.header.Get("Content-Type") != "image/png" {
					t.Errorf("%s: %v", a.header.Get("Content-Type"), err)
				}
			}
		})
	}
}

func TestDemoIdentities(t *testing.T) {
	w := sharedDemo(t)
	key := header("X-API-KEY", "my_api_key")
	tiers := w.do("POST", "/public/token", key, form("grant_type", "password", "username", userLogin, "password", userPassword))
	for _, tt := range []struct {
		name                string
		a                   *answer
		client, user, scope string
	}{
		{"tiers user", w.do("GET", "/user/me", key, bearer(tiers.text("access_token"))), "demo-app", userLogin, "user"},
		{"oauth2 user", w.do("GET", "/v1/me", bearer(passwordGrant(t, w, "scope", "files base").text("access_token"))), "demo-client", userLogin, "files base"},
		{"oauth2 client", w.do("GET", "/v1/me", bearer(tokens(t, w, "grant_type", "client_credentials").text("access_token"))), "demo-client", "", "base"},
		{"session user", openSession(t, w).call(w, "GET", "/api/me"), "", "demo", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.a.want(t, 200, "")
			wantMembers(t, tt.a, "client_id", "user", "scope")
			for name, want := range map[string]string{"client_id": tt.client, "user": tt.user, "scope": tt.scope} {
				if tt.a.field(name) != want {
					t.Errorf("%s is %v, want %q", name, tt.a.field(name), want)
				}
			}
		})
	}
}

func TestDemoRefusesOtherPaths(t *testing.T) {
	w := sharedDemo(t)
	key := header("X-API-KEY", "my_api_key")
	token := bearer(w.do("POST", "/public/token", key, form("grant_type", "password", "username", userLogin, "password", userPassword)).text("access_token"))
	for _, tt := range []struct {
		path    string
		options []option
	}{
		{"/", nil}, {"/x", nil}, {"/ext", nil}, {"/ext/", nil}, {"/ext/anything", nil}, {"/ext/ping/", nil}, {"/ext/ping/x", nil},
		{"/public", []option{key}}, {"/public/", []option{key}}, {"/public/x", []option{key}}, {"/public/token/", []option{key}},
		{"/user", []option{key, token}}, {"/user/", []option{key, token}}, {"/user/ping", []option{key, token}},
		{"/pro/", []option{key, token}}, {"/pro/me", []option{key, token}}, {"/userx", []option{key, token}},
		{"/oauth2/", nil}, {"/oauth2/x", nil}, {"/oauth2/token/", nil}, {"/oauth2/authorize", nil},
		{"/.well-known/", nil}, {"/.well-known/openid-configuration/", nil}, {"/.well-known/jwks.json/", nil},
		{"/v1/", nil}, {"/v1/img/", nil}, {"/v1/img/a/b", nil}, {"/v1/x", nil},
		{"/api/", nil}, {"/api/x", nil}, {"/api/login/", nil}, {"/api/logout/x", nil},
		{"/partner/x", []option{asPartner}}, {"/partner/onboarding/x", []option{asPartner}},
	} {
		t.Run(tt.path, func(t *testing.T) {
			w.do("GET", tt.path, tt.options...).wantOAuth(t, 404, "AUTH-6", "invalid_request")
		})
	}
	for _, path := range []string{"/public/x", "/user/x", "/pro/x", "/partner/x"} {
		w.do("GET", path).want(t, 401, "AUTH-2")
	}
}

func TestTokensOfOneSystemAreUnknownInTheOthers(t *testing.T) {
	w := sharedDemo(t)
	key := header("X-API-KEY", "my_api_key")
	list := jwtSystems(t, w)
	session := openSession(t, w)
	list = append(list, system{name: "session", access: session.token})
	uses := map[string]func(token string) *answer{
		"tiers":  func(token string) *answer { return w.do("GET", "/user/me", key, bearer(token)) },
		"oauth2": func(token string) *answer { return w.do("GET", "/v1/img/a.png", bearer(token)) },
		"session": func(token string) *answer {
			return w.do("GET", "/api/me", header("Cookie", "JSESSIONID="+session.cookie), sessionHeader("Bearer "+token))
		},
		"partner": func(token string) *answer { return w.do("GET", "/partner/", basic("other-partner", token)) },
	}
	refused := map[string]int{"tiers": 404, "oauth2": 401, "session": 401, "partner": 401}
	for _, s := range list {
		own, _, _ := strings.Cut(s.name, " ")
		for name, use := range uses {
			t.Run(s.name+" token for "+name+" T08", func(t *testing.T) {
				code := "AUTH-12"
				switch name {
				case own:
					use(s.access).want(t, 200, "")
					return
				case "partner":
					code = "AUTH-1"
				}
				use(s.access).want(t, refused[name], code)
			})
		}
	}
}
