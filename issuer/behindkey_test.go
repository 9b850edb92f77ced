package issuer_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
)

// inRFC answers refusals in the dialect of the RFCs.
func inRFC(h http.Handler) http.Handler {
	return middleware.Errors(&errorsx.Writer{Dialect: errorsx.RFC, Log: discard})(h)
}

// registered returns a mux with the endpoints of an issuer.
func registered(r interface{ Register(*http.ServeMux) }) http.Handler {
	mux := http.NewServeMux()
	r.Register(mux)
	return mux
}

// An endpointCase is an endpoint that authenticates clients, and a request for it.
type endpointCase struct {
	handler http.Handler
	values  url.Values
}

func clientEndpoints(iss *issuer.Issuer) []endpointCase {
	return []endpointCase{
		{iss.TokenHandler(), url.Values{"grant_type": {"client_credentials"}}},
		{iss.IntrospectHandler(), url.Values{"token": {"x"}}},
		{iss.RevokeHandler(), url.Values{"token": {"x"}}},
	}
}

// send posts a form with an API key and Basic credentials, each of which may be
// empty.
func send(h http.Handler, values url.Values, key, id, secret string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/", strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if key != "" {
		r.Header.Set("X-API-KEY", key)
	}
	if id != "" {
		r.SetBasicAuth(id, secret)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestAPIKeyInFrontIsNoClientSecret puts an APIKey wrapper around a mux with the
// endpoints, without BehindAPIKey. The key must not replace the client's secret.
func TestAPIKeyInFrontIsNoClientSecret(t *testing.T) {
	iss := newIssuer(t, nil, issuer.Config{})
	key := middleware.APIKey(iss, nil)
	for _, e := range clientEndpoints(iss) {
		h, values := key(e.handler), e.values
		for name, tt := range map[string]struct {
			id, secret string
			status     int
			code       string
		}{
			"the key alone":                   {"", "", 401, `"code":"AUTH-2"`},
			"the key and a wrong secret":      {"app", "wrong", 401, `"code":"AUTH-1"`},
			"the key as the secret":           {"app", "key1", 401, `"code":"AUTH-1"`},
			"the key and its client's secret": {"app", "app-secret", 200, ""},
		} {
			w := send(h, values, "key1", tt.id, tt.secret)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.code) {
				t.Errorf("%v with %s: got %d %s", values, name, w.Code, w.Body)
			}
			if challenge := w.Header().Get("WWW-Authenticate"); tt.status == 401 && !strings.HasPrefix(challenge, "Basic ") {
				t.Errorf("%v with %s: the challenge is %q", values, name, challenge)
			}
		}
	}

	// The key is of client app and has the scope a alone.
	w := send(key(iss.TokenHandler()), url.Values{"grant_type": {"client_credentials"}}, "key1", "other", "other-secret")
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"scope":"a"`) {
		t.Fatalf("another client's secret: got %d %s", w.Code, w.Body)
	}
	_, token, _ := strings.Cut(w.Body.String(), `"access_token":"`)
	token, _, _ = strings.Cut(token, `"`)
	if id, code := validate(t, iss, token); code != 0 || id.Client != "other" {
		t.Errorf("the token is of %+v, %v, want the client that gave its secret", id, code)
	}
}

// TestBehindAPIKey sets BehindAPIKey, with a wrapper in front that fits and with
// others.
func TestBehindAPIKey(t *testing.T) {
	iss := newIssuer(t, nil, issuer.Config{BehindAPIKey: true, Log: discard})
	elsewhere := middleware.ValidatorFunc(func(context.Context, middleware.Credential) (*middleware.Identity, error) {
		return &middleware.Identity{Issuer: "https://other.example", Client: "app", Methods: middleware.ByAPIKey}, nil
	})
	none := func(h http.Handler) http.Handler { return h }
	anonymous := middleware.APIKey(iss, &middleware.APIKeyConfig{AllowAnonymous: true})
	both := func(h http.Handler) http.Handler { return middleware.APIKey(iss, nil)(middleware.Basic(iss, nil)(h)) }
	for _, e := range clientEndpoints(iss) {
		values := e.values
		for name, tt := range map[string]struct {
			wrapper         middleware.Wrapper
			key, id, secret string
			status          int
			code            string
		}{
			"key":                       {middleware.APIKey(iss, nil), "key1", "", "", 200, ""},
			"key and wrong Basic":       {middleware.APIKey(iss, nil), "key1", "other", "wrong", 200, ""},
			"no wrapper":                {none, "key1", "", "", 401, `"code":"AUTH-2"`},
			"no wrapper and a secret":   {none, "", "app", "app-secret", 401, `"code":"AUTH-2"`},
			"anonymous and no key":      {anonymous, "", "", "", 401, `"message":"Missing API key"`},
			"anonymous and a secret":    {anonymous, "", "app", "app-secret", 401, `"message":"Missing API key"`},
			"anonymous and a key":       {anonymous, "key1", "", "", 200, ""},
			"Basic in front":            {middleware.Basic(iss, nil), "key1", "app", "app-secret", 401, `"code":"AUTH-2"`},
			"a key and Basic in front":  {both, "key1", "app", "app-secret", 500, `"code":"AUTH-8"`},
			"another issuer's wrapper":  {middleware.APIKey(elsewhere, nil), "key1", "", "", 500, `"code":"AUTH-8"`},
			"another wrapper, a secret": {middleware.APIKey(elsewhere, nil), "key1", "app", "app-secret", 500, `"code":"AUTH-8"`},
		} {
			w := send(inRFC(tt.wrapper(e.handler)), values, tt.key, tt.id, tt.secret)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.code) {
				t.Errorf("%v, %s: got %d %s", values, name, w.Code, w.Body)
			}
			if challenge := w.Header().Get("WWW-Authenticate"); tt.status == 401 && !strings.HasPrefix(challenge, "ApiKey ") {
				t.Errorf("%v, %s: the challenge is %q", values, name, challenge)
			}
		}
	}

	w := httptest.NewRecorder()
	registered(iss).ServeHTTP(w, httptest.NewRequest("GET", "/.well-known/oauth-authorization-server", nil))
	if !strings.Contains(w.Body.String(), `"token_endpoint_auth_methods_supported":[]`) {
		t.Errorf("the metadata names ways of authentication that are not looked at: %s", w.Body)
	}
}
