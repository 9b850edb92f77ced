package idp_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authtier/authtier/middleware/idp"
)

// A tokenTransport adds a token to every request, as a cluster's API server wants one
// from clients that read its key set.
type tokenTransport struct{ next http.RoundTripper }

func (t tokenTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer cluster-token")
	return t.next.RoundTrip(r)
}

// TestHTTPClient finds and fetches the keys of a provider that has a certificate of a
// private CA and asks for a token.
func TestHTTPClient(t *testing.T) {
	var server *httptest.Server
	server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer cluster-token":
			w.WriteHeader(http.StatusUnauthorized)
		case strings.HasPrefix(r.URL.Path, "/.well-known/openid"):
			fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, server.URL, server.URL+"/jwks")
		case r.URL.Path == "/jwks":
			fmt.Fprint(w, jwks(jwkOf(t, "EdDSA", members{"kid": "k1"})))
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer server.Close()

	trusting := server.Client().Transport
	for name, tt := range map[string]struct {
		client *http.Client
		want   string // in the error
	}{
		"a CA that nobody trusts": {nil, "certificate"},
		"no token":                {&http.Client{Transport: trusting}, "401"},
		"both":                    {&http.Client{Transport: tokenTransport{trusting}}, ""},
	} {
		v, err := idp.Open(t.Context(), idp.Config{Issuers: []string{server.URL}, Audience: []string{"api"}, HTTPClient: tt.client})
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want an error that says %q", name, err, tt.want)
		}
		if err != nil {
			continue
		}
		if _, err := v.Validate(t.Context(), token(sign(t, "EdDSA", headerOf(nil), claimsOf(members{"iss": server.URL})))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		v.Close()
	}
}

// TestAllowHTTP tests that plain HTTP needs AllowHTTP, and is then allowed only for hosts
// that the configuration itself names with http.
func TestAllowHTTP(t *testing.T) {
	const plain = "http://keycloak:8080/realms/r"
	document := func(keys string) map[string]string {
		return map[string]string{
			plain + "/.well-known/openid-configuration": fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, plain, keys),
			keys: jwks(jwkOf(t, "EdDSA", members{"kid": "k1"})),
		}
	}
	for name, tt := range map[string]struct {
		pages map[string]string
		allow bool
		want  string
	}{
		"not allowed":                {document("http://keycloak:8080/certs"), false, "https"},
		"allowed":                    {document("http://keycloak:8080/certs"), true, ""},
		"keys of another host":       {document("http://evil:8080/certs"), true, "jwks_uri"},
		"keys of another port":       {document("http://keycloak:9090/certs"), true, "jwks_uri"},
		"keys over https elsewhere":  {document("https://keys.example/certs"), true, ""},
		"keys with a password in it": {document("http://a:b@keycloak:8080/certs"), true, "jwks_uri"},
	} {
		cfg := remoteConfig(&site{pages: tt.pages})
		cfg.Issuers, cfg.AllowHTTP = []string{plain}, tt.allow
		v, err := idp.Open(t.Context(), cfg)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want an error that says %q", name, err, tt.want)
		}
		if err == nil {
			v.Close()
		}
	}
}

// TestHTTPNamesAllowHTTP tests the error for an issuer with http. An http key set of an
// https issuer is not allowed by AllowHTTP, so the error must not suggest it.
func TestHTTPNamesAllowHTTP(t *testing.T) {
	if _, err := idp.Open(t.Context(), idp.Keycloak("http://sso.example/realms/main", "api")); err == nil || !strings.Contains(err.Error(), "AllowHTTP") {
		t.Errorf("an http issuer: got %v, want an error that names AllowHTTP", err)
	}
	s := &site{pages: map[string]string{oidcAt: metadata(members{"jwks_uri": "http://keys.example/jwks"})}}
	if _, err := idp.Open(t.Context(), remoteConfig(s)); err == nil || strings.Contains(err.Error(), "AllowHTTP") {
		t.Errorf("http keys of an https issuer: got %v, want an error without AllowHTTP", err)
	}
}
