package partner_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// TestRoutesDemandTheirOwnPartner gives the routes validators of other identities,
// which may have no client and would see everyone's use.
func TestRoutesDemandTheirOwnPartner(t *testing.T) {
	iss, p, _ := newPartner(t, &reporter{})
	_, other, _ := newPartner(t, &reporter{})
	cache, err := middleware.NewCache(p, 100, nil)
	if err != nil {
		t.Fatal(err)
	}
	throttle, err := middleware.NewThrottle(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		v  middleware.Validator
		ok bool
	}{
		"itself": {p, true}, "a cache": {cache, true}, "a throttle": {throttle.Around(cache), true},
		"the issuer": {iss, false}, "the passwords": {iss.Passwords(), false}, "another system": {other, false}, "nothing": {nil, false},
	} {
		func() {
			defer func() {
				if (recover() == nil) != tt.ok {
					t.Errorf("%s: want ok %t", name, tt.ok)
				}
			}()
			p.Handler(tt.v)
		}()
	}
}

// TestNobodyAsksForEveryone has a decorator that takes the client from an identity.
func TestNobodyAsksForEveryone(t *testing.T) {
	u := &reporter{rows: []store.Row{{Client: "acme"}}}
	_, p, _ := newPartner(t, u)
	h := p.Handler(middleware.Around(p, func(ctx context.Context, c middleware.Credential, next middleware.Validator) (*middleware.Identity, error) {
		id, err := next.Validate(ctx, c)
		if err == nil {
			id.Client, id.User = "", "ada"
		}
		return id, err
	}))
	for _, path := range []string{"/partner/", "/partner/usages?api=a"} {
		r, w := httptest.NewRequest("GET", path, nil), httptest.NewRecorder()
		r.SetBasicAuth("acme", "acme-secret")
		h.ServeHTTP(w, r)
		if w.Code != 500 || !strings.Contains(w.Body.String(), "AUTH-8") {
			t.Errorf("%s: got %d %s, want AUTH-8", path, w.Code, w.Body)
		}
	}
	if u.asked.API != "" {
		t.Errorf("the report was asked for %+v", u.asked)
	}
}

// TestTokensGetTheirOwnScopes mints with a token in the secret's place.
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
	if code, got := mint("acme-secret", `{"scopes":["x y"]}`); code != 403 { // both are the client's, and this is none
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
