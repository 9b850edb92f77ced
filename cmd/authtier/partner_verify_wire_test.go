package main

import (
	"strings"
	"testing"
	"time"
)

func TestPartnerVerifiesTokens(t *testing.T) {
	w := sharedDemo(t)
	a := minted(t, w, asPartner, `{"scopes":["onboarding"],"expires_in":600}`)
	token := a.text("access_token")
	oauth2 := passwordGrant(t, w)
	object := func(token, more string) string { return `{"token":"` + token + `"` + more + `}` }
	holder := byToken("other-partner", minted(t, w, asOther, `{}`))
	for _, more := range []string{``, `,"type":"access"`, `,"scopes":["onboarding"]`, `,"type":"access","scopes":["onboarding"]`} {
		for _, as := range []option{asPartner, asOther, holder} {
			got := w.do("POST", "/partner/tokens/verify", as, body(mimeJSON, object(token, more)))
			got.want(t, 200, "")
			wantMembers(t, got, "active", "client_id", "scope", "type", "expires_at")
			if got.field("active") != true || got.text("client_id") != "demo-partner" || got.text("scope") != "onboarding" ||
				got.text("type") != "access" || got.field("expires_at") != jwtPart(t, token, 1)["exp"] {
				t.Errorf("%s: got %s", more, got.body)
			}
			if got.header.Get("Cache-Control") != "no-store" {
				t.Errorf("Cache-Control is %q", got.header.Get("Cache-Control"))
			}
		}
	}
	for _, tt := range []struct {
		name, object string
		status       int
		code         string
	}{
		{"a scope it lacks", object(token, `,"scopes":["usage:read"]`), 403, "AUTH-7"},
		{"one of two scopes it lacks", object(token, `,"scopes":["onboarding","usage:read"]`), 403, "AUTH-7"},
		{"a scope in other case T09", object(token, `,"scopes":["ONBOARDING"]`), 403, "AUTH-7"},
		{"access for refresh", object(token, `,"type":"refresh"`), 400, "AUTH-9"},
		{"type before scope", object(token, `,"type":"refresh","scopes":["usage:read"]`), 400, "AUTH-9"},
		{"wrong signature", object(mistyped(token, len(token)-20), ``), 400, "AUTH-10"},
		{"wrong signature before type", object(mistyped(token, len(token)-20), `,"type":"refresh"`), 400, "AUTH-10"},
		{"garbled", object("a.b.c", ``), 404, "AUTH-12"},
		{"garbled before type", object("a.b.c", `,"type":"refresh"`), 404, "AUTH-12"},
		{"unknown", object("x", ``), 404, "AUTH-12"},
		{"truncated T06", object(token[:80], ``), 404, "AUTH-12"},
		{"padded J14", object(token+"=", ``), 404, "AUTH-12"},
		{"line break J14", object(token+`\n`, ``), 404, "AUTH-12"},
		{"another system's T08", object(oauth2.text("access_token"), ``), 404, "AUTH-12"},
		{"another system's refresh token T08", object(oauth2.text("refresh_token"), ``), 404, "AUTH-12"},
		{"secret", object("demo-partner-secret", ``), 404, "AUTH-12"},
		{"API key", object("my_api_key", ``), 404, "AUTH-12"},
		{"no token", `{}`, 422, "AUTH-6"},
		{"no body", ``, 422, "AUTH-6"},
		{"empty token", object("", ``), 422, "AUTH-6"},
		{"token of another JSON type", `{"token":1}`, 422, "AUTH-6"},
		{"null token", `{"token":null}`, 422, "AUTH-6"},
		{"repeated token", `{"token":"` + token + `","token":"` + token + `"}`, 422, "AUTH-6"},
		{"unknown type", object(token, `,"type":"id"`), 422, "AUTH-6"},
		{"type in other case", object(token, `,"type":"Access"`), 422, "AUTH-6"},
		{"empty type", object(token, `,"type":""`), 422, "AUTH-6"},
		{"type of another JSON type", object(token, `,"type":1`), 422, "AUTH-6"},
		{"scopes of another JSON type", object(token, `,"scopes":"onboarding"`), 422, "AUTH-6"},
		{"a scope of another JSON type", object(token, `,"scopes":[1]`), 422, "AUTH-6"},
		{"not JSON", `token=` + token, 422, "AUTH-6"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := w.do("POST", "/partner/tokens/verify", asPartner, body(mimeJSON, tt.object))
			got.want(t, tt.status, tt.code)
			if got.header.Get("Cache-Control") != "no-store" || strings.Contains(got.body, token) {
				t.Errorf("headers %v, body %s", got.header, got.body)
			}
		})
	}
}

func TestPartnerPathsAndMethods(t *testing.T) {
	w := sharedDemo(t)
	for _, tt := range []struct{ method, path, allow string }{
		{"POST", "/partner/", "GET"}, {"GET", "/partner/tokens", "POST"}, {"GET", "/partner/tokens/verify", "POST"},
		{"POST", "/partner/usages", "GET"}, {"DELETE", "/partner/tokens", "POST"},
	} {
		a := w.do(tt.method, tt.path, asPartner)
		a.want(t, 405, "AUTH-6")
		if !strings.Contains(a.header.Get("Allow"), tt.allow) {
			t.Errorf("%s %s: Allow is %q", tt.method, tt.path, a.header.Get("Allow"))
		}
	}
	for _, path := range []string{"/partner/x", "/partner/tokens/", "/partner/tokens/verify/x", "/partner/usages/"} {
		w.do("GET", path, asPartner).want(t, 404, "AUTH-6")
		w.do("GET", path).want(t, 401, "AUTH-2")
	}
}

// utcDay is the day that lies n days after today.
func utcDay(n int) string { return time.Now().UTC().AddDate(0, 0, n).Format(time.DateOnly) }
