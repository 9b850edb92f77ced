package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

var (
	asPartner = basic("demo-partner", "demo-partner-secret")
	asOther   = basic("other-partner", "other-partner-secret")
)

// minted asks for a partner's token with a JSON body, and expects to get one.
func minted(t *testing.T, w *wire, as option, object string) *answer {
	t.Helper()
	a := w.do("POST", "/partner/tokens", as, body(mimeJSON, object))
	if a.status != 201 {
		t.Fatalf("%s: %d %s", object, a.status, a.body)
	}
	return a
}

// byToken is Basic with a partner's ID and its token.
func byToken(id string, a *answer) option { return basic(id, a.text("access_token")) }

func TestPartnerCredentials(t *testing.T) {
	w := sharedDemo(t)
	own, others := minted(t, w, asPartner, `{}`), minted(t, w, asOther, `{}`)
	access := own.text("access_token")
	oauth2 := tokens(t, w, "grant_type", "client_credentials").text("access_token")
	for _, tt := range []struct {
		name   string
		auth   option
		status int
		code   string
	}{
		{"secret", asPartner, 200, ""},
		{"own token", byToken("demo-partner", own), 200, ""},
		{"no header", header("Authorization", ""), 401, "AUTH-2"},
		{"another scheme", bearer(access), 401, "AUTH-3"},
		{"wrong secret", basic("demo-partner", "x"), 401, "AUTH-1"},
		{"unknown client", basic("nobody", "demo-partner-secret"), 401, "AUTH-1"},
		{"another partner's secret", basic("demo-partner", "other-partner-secret"), 401, "AUTH-1"},
		{"another partner's token T05", byToken("demo-partner", others), 401, "AUTH-1"},
		{"own token under another name T05", byToken("other-partner", own), 401, "AUTH-1"},
		{"own token under no client T05", byToken("nobody", own), 401, "AUTH-1"},
		{"own token with a wrong signature", basic("demo-partner", mistyped(access, len(access)-20)), 401, "AUTH-1"},
		{"own token truncated T06", basic("demo-partner", access[:len(access)-1]), 401, "AUTH-1"},
		{"another system's token T08", basic("demo-partner", oauth2), 401, "AUTH-1"},
		{"another system's client", asDemoClient, 401, "AUTH-1"},
		{"form-encoded ID, which the token endpoint alone decodes", basicOf("demo%2Dpartner:demo-partner-secret"), 401, "AUTH-1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, route := range []string{"GET /partner/", "POST /partner/tokens", "GET /partner/onboarding",
				"GET /partner/usages?api_name=x&start_date=2025-01-01&end_date=2025-01-01"} {
				method, path, _ := strings.Cut(route, " ")
				a := w.do(method, path, tt.auth)
				want := tt.status
				if want == 200 && method == "POST" {
					want = 201
				}
				a.want(t, want, tt.code)
				challenge := ""
				if want == 401 {
					challenge = `Basic realm="api", charset="UTF-8"`
				}
				if got := a.header.Get("WWW-Authenticate"); got != challenge {
					t.Errorf("WWW-Authenticate is %q, want %q", got, challenge)
				}
			}
			verify := w.do("POST", "/partner/tokens/verify", tt.auth, body(mimeJSON, `{"token":"`+access+`"}`))
			verify.want(t, tt.status, tt.code)
		})
	}
}

func TestPartnerTellsWhoCalls(t *testing.T) {
	w := sharedDemo(t)
	narrow := minted(t, w, asPartner, `{"scopes":["usage:read"]}`)
	for _, tt := range []struct {
		name   string
		auth   option
		id     string
		scopes []string
	}{
		{"secret", asPartner, "demo-partner", []string{"onboarding", "usage:read"}},
		{"another's secret", asOther, "other-partner", []string{"onboarding"}},
		{"token", byToken("demo-partner", narrow), "demo-partner", []string{"usage:read"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.do("GET", "/partner/", tt.auth)
			a.want(t, 200, "")
			wantMembers(t, a, "client_id", "scopes")
			var got struct {
				Client string `json:"client_id"`
				Scopes []string
			}
			json.Unmarshal([]byte(a.body), &got)
			slices.Sort(got.Scopes)
			if got.Client != tt.id || !slices.Equal(got.Scopes, tt.scopes) || a.header.Get("Content-Type") != "application/json" {
				t.Errorf("got %s", a.body)
			}
		})
	}
}

func TestPartnerMintsTokens(t *testing.T) {
	w := sharedDemo(t)
	for _, tt := range []struct {
		name    string
		body    option
		scope   string
		seconds float64
	}{
		{"no body", body("", ""), "onboarding usage:read", 3600},
		{"empty JSON body", body(mimeJSON, ""), "onboarding usage:read", 3600},
		{"empty object", body(mimeJSON, `{}`), "onboarding usage:read", 3600},
		{"one scope", body(mimeJSON, `{"scopes":["onboarding"]}`), "onboarding", 3600},
		{"both scopes", body(mimeJSON, `{"scopes":["usage:read","onboarding"]}`), "onboarding usage:read", 3600},
		{"shortest", body(mimeJSON, `{"expires_in":60}`), "onboarding usage:read", 60},
		{"longest", body(mimeJSON, `{"expires_in":86400}`), "onboarding usage:read", 86400},
		{"both", body(mimeJSON, `{"scopes":["usage:read"], "expires_in": 120}`), "usage:read", 120},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.do("POST", "/partner/tokens", asPartner, tt.body)
			a.want(t, 201, "")
			wantMembers(t, a, "access_token", "token_type", "expires_in", "scope")
			scopes := strings.Fields(a.text("scope"))
			slices.Sort(scopes)
			if strings.Join(scopes, " ") != tt.scope || a.text("token_type") != "bearer" || a.field("expires_in") != tt.seconds {
				t.Errorf("got %s", a.body)
			}
			if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Content-Type") != "application/json" {
				t.Errorf("headers %v", a.header)
			}
			claims := jwtPart(t, a.text("access_token"), 1)
			exp, _ := claims["exp"].(float64)
			iat, _ := claims["iat"].(float64)
			if exp-iat != tt.seconds || claims["client_id"] != "demo-partner" || claims["scope"] != a.text("scope") {
				t.Errorf("claims %v", claims)
			}
			w.do("GET", "/partner/", byToken("demo-partner", a)).want(t, 200, "")
		})
	}
}

func TestPartnerRefusesToMint(t *testing.T) {
	w := sharedDemo(t)
	for _, tt := range []struct{ object, code, names string }{
		{`{"scopes":[]}`, "AUTH-6", "scopes"},
		{`{"scopes":"onboarding"}`, "AUTH-6", "scopes"},
		{`{"scopes":[1]}`, "AUTH-6", "scopes"},
		{`{"scopes":["onboarding",null]}`, "AUTH-6", "scopes"},
		{`{"scopes":{}}`, "AUTH-6", "scopes"},
		{`{"scopes":["onboarding"],"scopes":["onboarding"]}`, "AUTH-6", ""},
		{`{"expires_in":60,"expires_in":60}`, "AUTH-6", ""},
		{`{"expires_in":59}`, "AUTH-6", "expires_in"},
		{`{"expires_in":86401}`, "AUTH-6", "expires_in"},
		{`{"expires_in":0}`, "AUTH-6", "expires_in"},
		{`{"expires_in":-60}`, "AUTH-6", "expires_in"},
		{`{"expires_in":60.0}`, "AUTH-6", "expires_in"},
		{`{"expires_in":60.5}`, "AUTH-6", "expires_in"},
		{`{"expires_in":6e1}`, "AUTH-6", "expires_in"},
		{`{"expires_in":36E2}`, "AUTH-6", "expires_in"},
		{`{"expires_in":1e400}`, "AUTH-6", "expires_in"},
		{`{"expires_in":18446744073709555216}`, "AUTH-6", "expires_in"},
		{`{"expires_in":"3600"}`, "AUTH-6", "expires_in"},
		{`{"expires_in":true}`, "AUTH-6", "expires_in"},
		{`{"expires_in":[3600]}`, "AUTH-6", "expires_in"},
		{`{"expires_in":0x3c}`, "AUTH-6", ""},
		{`{"expires_in":060}`, "AUTH-6", ""},
		{`{"expires_in":+60}`, "AUTH-6", ""},
		{`{`, "AUTH-6", ""},
		{`[]`, "AUTH-6", ""},
		{`null`, "AUTH-6", ""},
		{`"x"`, "AUTH-6", ""},
		{`{}{}`, "AUTH-6", ""},
		{`scopes=onboarding`, "AUTH-6", ""},
		{`{"scopes":["nope"]}`, "AUTH-7", ""},
		{`{"scopes":["onboarding","nope"]}`, "AUTH-7", ""},
		{`{"scopes":[""]}`, "AUTH-7", ""},
		{`{"scopes":["onboarding usage:read"]}`, "AUTH-7", ""},
		{`{"scopes":["onboarding "]}`, "AUTH-7", ""},
		{`{"scopes":["Onboarding"]}`, "AUTH-7", ""},
	} {
		t.Run(tt.object, func(t *testing.T) {
			a := w.do("POST", "/partner/tokens", asPartner, body(mimeJSON, tt.object))
			if tt.code == "AUTH-7" {
				a.wantOAuth(t, 403, "AUTH-7", "invalid_scope")
			} else {
				a.wantOAuth(t, 422, "AUTH-6", "invalid_request")
			}
			if !strings.Contains(a.text("message"), tt.names) {
				t.Errorf("message %q does not name %s", a.text("message"), tt.names)
			}
		})
	}
	w.do("POST", "/partner/tokens", asOther, body(mimeJSON, `{"scopes":["usage:read"]}`)).wantOAuth(t, 403, "AUTH-7", "invalid_scope")
	w.do("POST", "/partner/tokens", asPartner, form("scopes", "onboarding")).want(t, 422, "AUTH-6")
}

func TestTokenHasItsOwnScopesOnEveryRow(t *testing.T) {
	w := startDemo(t)
	onboarding := byToken("demo-partner", minted(t, w, asPartner, `{"scopes":["onboarding"]}`))
	usage := byToken("demo-partner", minted(t, w, asPartner, `{"scopes":["usage:read"]}`))
	w.do("GET", "/partner/onboarding", onboarding).want(t, 200, "")
	w.do("GET", "/partner/onboarding", usage).wantOAuth(t, 403, "AUTH-7", "insufficient_scope")
	for _, object := range []string{`{"scopes":["usage:read"]}`, `{"scopes":["onboarding","usage:read"]}`} { // T10
		w.do("POST", "/partner/tokens", onboarding, body(mimeJSON, object)).wantOAuth(t, 403, "AUTH-7", "invalid_scope")
	}
	for _, object := range []string{`{}`, `{"scopes":["onboarding"]}`} {
		if a := minted(t, w, onboarding, object); a.text("scope") != "onboarding" {
			t.Errorf("%s: scope is %q", object, a.text("scope"))
		}
	}
	w.do("GET", "/partner/onboarding", asOther).want(t, 200, "")
	if got := clientsOf(t, report(w, onboarding, "onboarding")); !slices.Equal(got, []string{"demo-partner"}) { // U05
		t.Errorf("a token without usage:read sees %q", got)
	}
	if got := clientsOf(t, report(w, usage, "onboarding")); !slices.Equal(got, []string{"demo-partner", "other-partner"}) {
		t.Errorf("a token with usage:read sees %q", got)
	}
}

func TestMintedTokenDoesNotOutliveItsParent(t *testing.T) {
	w := sharedDemo(t)
	parent := minted(t, w, asPartner, `{"expires_in":100}`)
	ends, _ := jwtPart(t, parent.text("access_token"), 1)["exp"].(float64)
	line := parent
	for range 3 {
		line = minted(t, w, byToken("demo-partner", line), `{"expires_in":86400}`)
		claims := jwtPart(t, line.text("access_token"), 1)
		exp, _ := claims["exp"].(float64)
		iat, _ := claims["iat"].(float64)
		if exp != ends || line.field("expires_in") != exp-iat {
			t.Errorf("exp %v, want %v; expires_in %v, want %v", exp, ends, line.field("expires_in"), exp-iat)
		}
		w.do("GET", "/partner/", byToken("demo-partner", line)).want(t, 200, "")
	}
	if a := minted(t, w, byToken("demo-partner", parent), `{"expires_in":60}`); a.field("expires_in") != 60.0 {
		t.Errorf("asked for less: expires_in %v", a.field("expires_in"))
	}
	w.do("POST", "/partner/tokens", byToken("demo-partner", parent), body(mimeJSON, `{"expires_in":59}`)).want(t, 422, "AUTH-6")
}
