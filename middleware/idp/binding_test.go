package idp_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
)

// bearing returns a request with a token.
func bearing(token string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// TestKeyBinding sends tokens that are bound to a key. Only a wrapper whose ConfirmKey
// accepts the request admits them, also from a cache.
func TestKeyBinding(t *testing.T) {
	asked := 0
	confirm := func(err error) func(*http.Request, middleware.Identity) error {
		return func(_ *http.Request, id middleware.Identity) error {
			asked++
			var claims struct {
				Confirmation struct {
					Thumbprint string `json:"jkt"`
				} `json:"cnf"`
			}
			if decodeErr := id.DecodeClaims(&claims); decodeErr != nil || claims.Confirmation.Thumbprint != "x" {
				t.Errorf("ConfirmKey reads %+v, %v", claims, decodeErr)
			}
			return err
		}
	}
	bound := sign(t, "EdDSA", headerOf(nil), claimsOf(members{"cnf": members{"jkt": "x"}, "aud": []string{"api"}}))
	free := sign(t, "EdDSA", headerOf(nil), claimsOf(nil))
	cache := newCache(t, verifier(t, plain(t, "EdDSA")), 16, middleware.CacheConfig{})

	for name, tt := range map[string]struct {
		cfg   middleware.BearerConfig
		token string
		want  errorsx.Code
		asked int
	}{
		"no ConfirmKey":              {middleware.BearerConfig{}, bound, errorsx.UnknownToken, 0},
		"confirmed":                  {middleware.BearerConfig{ConfirmKey: confirm(nil)}, bound, 0, 1},
		"refused":                    {middleware.BearerConfig{ConfirmKey: confirm(errorsx.UnknownToken)}, bound, errorsx.UnknownToken, 1},
		"broken":                     {middleware.BearerConfig{ConfirmKey: confirm(errors.New("boom"))}, bound, errorsx.Internal, 1},
		"a panic":                    {middleware.BearerConfig{ConfirmKey: func(*http.Request, middleware.Identity) error { panic("boom") }}, bound, errorsx.Internal, 0},
		"judged before the audience": {middleware.BearerConfig{Audience: "other"}, bound, errorsx.UnknownToken, 0},
		"not bound":                  {middleware.BearerConfig{ConfirmKey: confirm(errors.New("boom"))}, free, 0, 0},
	} {
		for range 2 { // the second time from the cache
			asked = 0
			_, err := middleware.Check(bearing(tt.token), middleware.Bearer(cache, &tt.cfg))
			if tt.want == 0 && err != nil || tt.want != 0 && errorsx.From(err).Code != tt.want || asked != tt.asked {
				t.Errorf("%s: got %v after %d questions, want %v after %d", name, err, asked, tt.want, tt.asked)
			}
		}
	}
}

// TestKeyBindingOfAnswers tests a token whose introspection says that it is bound.
func TestKeyBindingOfAnswers(t *testing.T) {
	for cnf, want := range map[string]errorsx.Code{`{"jkt":"x"}`: errorsx.UnknownToken, `"garbled"`: errorsx.UnknownToken, `null`: 0} {
		e := &endpoint{}
		e.answers(200, `{"active":true,"aud":"api","sub":"ada","client_id":"app","cnf":`+cnf+`}`)
		_, err := middleware.Check(bearing("opaque"), middleware.Bearer(introspection(t, e), nil))
		if want == 0 && err != nil || want != 0 && errorsx.From(err).Code != want {
			t.Errorf("cnf %s: got %v, want %v", cnf, err, want)
		}
		confirm := &middleware.BearerConfig{ConfirmKey: func(*http.Request, middleware.Identity) error { return nil }}
		if _, err := middleware.Check(bearing("opaque"), middleware.Bearer(introspection(t, e), confirm)); err != nil {
			t.Errorf("cnf %s, confirmed: got %v", cnf, err)
		}
	}
}

// TestDroppedScopes tests that elements that are no scope tokens are told to Observe and
// counted.
func TestDroppedScopes(t *testing.T) {
	v := verifier(t, plain(t, "EdDSA", func(c *idp.Config) { c.Scopes = []string{"scope", "roles"} }))
	var got middleware.Decision
	h := middleware.Chain(
		middleware.Observe(func(_ *http.Request, d middleware.Decision) { got = d }),
		middleware.Bearer(newCache(t, v, 16, middleware.CacheConfig{}), nil),
	)(http.NotFoundHandler())

	signed := sign(t, "EdDSA", headerOf(nil), claimsOf(members{"roles": []string{"read", "Task Admin", "write", "", "ü"}}))
	for range 2 {
		h.ServeHTTP(httptest.NewRecorder(), bearing(signed))
		if got.Identity.Scopes != "read write" || !slices.Equal(got.DroppedScopes, []string{"Task Admin", "", "ü"}) {
			t.Errorf("got scopes %q, dropped %q", got.Identity.Scopes, got.DroppedScopes)
		}
	}
	if n := v.Stats()[0].DroppedScopes; n != 3 {
		t.Errorf("counted %d", n)
	}

	h.ServeHTTP(httptest.NewRecorder(), bearing(sign(t, "EdDSA", headerOf(nil), claimsOf(nil))))
	if got.DroppedScopes != nil {
		t.Errorf("nothing is dropped: got %q", got.DroppedScopes)
	}
}
