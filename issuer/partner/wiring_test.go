package partner_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer/partner"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/meter"
)

// TestNobodyAsksForEveryone puts a wrapper around the routes that sets an identity
// without a client. The partner's own credential still decides, and without it nothing
// is reported.
func TestNobodyAsksForEveryone(t *testing.T) {
	u := &reporter{rows: []store.Row{{Client: "acme"}}}
	_, _, h := newPartner(t, u)
	for _, path := range []string{"/partner/", "/partner/usages?api=a"} {
		r, w := httptest.NewRequest("GET", path, nil), httptest.NewRecorder()
		h.ServeHTTP(w, r.WithContext(middleware.WithIdentity(r.Context(), middleware.Identity{User: "ada", Methods: middleware.ByToken})))
		if w.Code != 401 || !strings.Contains(w.Body.String(), "AUTH-2") {
			t.Errorf("%s: got %d %s, want AUTH-2", path, w.Code, w.Body)
		}
	}
	if u.asked.API != "" {
		t.Errorf("the report was asked for %+v", u.asked)
	}
}

// TestTokensGetTheirOwnScopes mints with a token as the password.
func TestTokensGetTheirOwnScopes(t *testing.T) {
	_, _, h := newPartner(t, &reporter{})
	mint := func(secret, body string) (int, map[string]any) {
		r, w := httptest.NewRequest("POST", "/partner/tokens", strings.NewReader(body)), httptest.NewRecorder()
		r.Header.Set("Content-Type", "application/json")
		r.SetBasicAuth("acme", secret)
		h.ServeHTTP(w, r)
		var answer map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		return w.Code, answer
	}
	_, first := mint("acme-secret", `{"scopes":["y"]}`)
	if code, got := mint("acme-secret", `{"scopes":["x y"]}`); code != 403 { // the client has both, but this is no scope
		t.Errorf("a scope with a space: got %d %v", code, got)
	}
	token := first["access_token"].(string)
	for body, want := range map[string]any{
		`{}`: "y", `{"scopes":["y"]}`: "y",
		`{"scopes":["x"]}`: nil, `{"scopes":["y","x"]}`: nil, `{"scopes":["y x"]}`: nil, `{"scopes":[""]}`: nil,
	} {
		if code, got := mint(token, body); got["scope"] != want || want == nil && got["code"] != errorsx.ScopeNotAuthorized.String() {
			t.Errorf("%s: got %d %v, want scope %v", body, code, got, want)
		}
	}
}

// TestNewRefusesNothing passes nil, and a nil pointer that looks like a reporter.
func TestNewRefusesNothing(t *testing.T) {
	iss, _, _ := newPartner(t, &reporter{})
	for name, u := range map[string]partner.Reporter{"nil": nil, "a nil pointer": (*meter.Meter)(nil)} {
		if _, err := partner.New(iss, u, nil); err == nil {
			t.Errorf("reporter %s: accepted", name)
		}
	}
	if _, err := partner.New(nil, &reporter{}, nil); err == nil {
		t.Error("no issuer: accepted")
	}
}
