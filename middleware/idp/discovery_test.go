package idp_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
)

// A site answers each URL with a body, and any other with 404.
type site struct {
	mu    sync.Mutex
	pages map[string]string
	asked []string
}

func (s *site) set(url, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[url] = body
}

func (s *site) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.URL.String())
	body, ok := s.pages[r.URL.String()]
	resp := &http.Response{StatusCode: 200, Header: http.Header{}, Request: r}
	switch to, isRedirect := strings.CutPrefix(body, "-> "); {
	case !ok:
		resp.StatusCode = 404
	case isRedirect:
		resp.StatusCode = 302
		resp.Header.Set("Location", to)
	case body == "down":
		return nil, errors.New("connection refused")
	}
	resp.Body = io.NopCloser(bytes.NewReader([]byte(body)))
	return resp, nil
}

const (
	iss       = "https://id.example/realm"
	rfc8414At = "https://id.example/.well-known/oauth-authorization-server/realm"
	oidcAt    = "https://id.example/realm/.well-known/openid-configuration"
	jwksAt    = "https://keys.example/jwks"
)

func remoteConfig(s *site) idp.Config {
	return idp.Config{
		Issuers: []string{iss}, Audience: []string{"api"},
		HTTPClient: &http.Client{Transport: s}, Log: slog.New(slog.DiscardHandler),
	}
}

func metadata(changes members) string {
	b, _ := json.Marshal(changed(members{"issuer": iss, "jwks_uri": jwksAt}, changes))
	return string(b)
}

// TestDiscovery opens verifiers whose provider has metadata of many kinds.
func TestDiscovery(t *testing.T) {
	good := jwks(jwkOf(t, "EdDSA", members{"kid": "k1"}))
	for name, tt := range map[string]struct {
		pages map[string]string
		wants []string // in the error; none for success
	}{
		"RFC 8414":                  {map[string]string{rfc8414At: metadata(nil)}, nil},
		"OpenID Connect":            {map[string]string{oidcAt: metadata(nil)}, nil},
		"the second after a fault":  {map[string]string{rfc8414At: "<html>", oidcAt: metadata(nil)}, nil},
		"a redirect on the host":    {map[string]string{oidcAt: "-> /moved", "https://id.example/moved": metadata(nil)}, nil},
		"neither":                   {nil, []string{rfc8414At, oidcAt, "404"}},
		"another issuer":            {map[string]string{oidcAt: metadata(members{"issuer": "https://evil.example"})}, []string{"https://evil.example", iss}},
		"a key set":                 {map[string]string{oidcAt: good}, []string{"found a key set", "JWKSURL"}},
		"HTML":                      {map[string]string{oidcAt: "<html>"}, []string{"HTML"}},
		"PEM":                       {map[string]string{oidcAt: "-----BEGIN CERTIFICATE-----"}, []string{"PEM"}},
		"no jwks_uri":               {map[string]string{oidcAt: metadata(members{"jwks_uri": nil})}, []string{"no jwks_uri"}},
		"http keys":                 {map[string]string{oidcAt: metadata(members{"jwks_uri": "http://keys.example/jwks"})}, []string{"jwks_uri", "https"}},
		"loopback keys":             {map[string]string{oidcAt: metadata(members{"jwks_uri": "http://127.0.0.1/jwks"})}, []string{"jwks_uri is http"}},
		"a redirect elsewhere":      {map[string]string{oidcAt: "-> https://evil.example/", "https://evil.example/": metadata(nil)}, []string{"another host"}},
		"a redirect without end":    {map[string]string{oidcAt: "-> " + oidcAt}, []string{"too many redirects"}},
		"10 MiB":                    {map[string]string{oidcAt: strings.Repeat(" ", 10<<20)}, []string{"more than"}},
		"a set without usable keys": {map[string]string{oidcAt: metadata(nil), jwksAt: `{"keys":[{"kty":"oct","k":"AA"}]}`}, []string{"no key that verifies tokens"}},
		"metadata as keys":          {map[string]string{oidcAt: metadata(nil), jwksAt: metadata(nil)}, []string{"found metadata", "jwks_uri"}},
		"PEM as keys":               {map[string]string{oidcAt: metadata(nil), jwksAt: `{"k1":"-----BEGIN CERTIFICATE-----\n"}`}, []string{"PEM", "another URL"}},
		"a lone key":                {map[string]string{oidcAt: metadata(nil), jwksAt: `{"kty":"EC","crv":"P-256"}`}, []string{"a single key"}},
		"HTML as keys":              {map[string]string{oidcAt: metadata(nil), jwksAt: "<!doctype html>"}, []string{"HTML", "JWK set"}},
		"a key set that is gone":    {map[string]string{oidcAt: metadata(nil), jwksAt: "down"}, []string{"connection refused"}},
	} {
		s := &site{pages: map[string]string{jwksAt: good}}
		for url, body := range tt.pages {
			s.set(url, body)
		}
		v, err := idp.Open(t.Context(), remoteConfig(s))
		if tt.wants == nil && err != nil || tt.wants != nil && (err == nil || !says(err.Error(), "Open", tt.wants...)) {
			t.Errorf("%s: got %v, want an error that says %q", name, err, tt.wants)
		}
		if err == nil {
			signed := sign(t, "EdDSA", headerOf(nil), claimsOf(members{"iss": iss}))
			if _, err := v.Validate(t.Context(), token(signed)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			v.Close()
		}
	}
}

// TestEmptyStart starts while the provider is down. Its tokens are AUTH-8, and are
// accepted as soon as its keys are found. After Close they are AUTH-8 again, even those
// that a cache remembers.
func TestEmptyStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{pages: map[string]string{}}
		cfg := remoteConfig(s)
		if _, err := idp.Open(t.Context(), cfg); err == nil {
			t.Error("without AllowEmptyStart: no error")
		}
		cfg.AllowEmptyStart = true
		v, err := idp.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		cache := newCache(t, v, 100, middleware.CacheConfig{})
		signed := sign(t, "EdDSA", headerOf(nil), claimsOf(members{"iss": iss, "exp": time.Now().Unix() + 600}))
		if code := ask(t, cache, signed); code != errorsx.Internal {
			t.Errorf("while the provider is down: got %v", code)
		}

		s.set(oidcAt, metadata(nil))
		s.set(jwksAt, jwks(jwkOf(t, "EdDSA", members{"kid": "k1"})))
		time.Sleep(11 * time.Second)
		if code := ask(t, cache, signed); code != 0 {
			t.Errorf("afterwards: got %v", code)
		}
		v.Close()
		if code := ask(t, cache, signed); code != errorsx.Internal {
			t.Errorf("after Close: got %v", code)
		}
	})
}

// thousand returns 1,000 keys of one kid that fit RS256, and another key. All are
// different, because the same key given twice counts once.
func thousand(rsa, other members) []members {
	keys := []members{other}
	n, _ := base64.RawURLEncoding.DecodeString(rsa["n"].(string))
	for i := range 1000 {
		k := maps.Clone(rsa)
		k["n"] = b64(append(n[:len(n)-2:len(n)-2], byte(i>>8), byte(i)|1))
		keys = append(keys, k)
	}
	return keys
}

// TestKeyRules tests which keys of a set verify a token.
func TestKeyRules(t *testing.T) {
	ed := func(kid any) members { return jwkOf(t, "EdDSA", members{"kid": kid}) }
	rs := func(changes members) members { return jwkOf(t, "RS256", changes) }
	for name, tt := range map[string]struct {
		set    []members
		alg    string
		header members
		want   errorsx.Code
	}{
		"no kid, one key of four that fits":      {[]members{ed("a"), rs(members{"kid": "b"}), jwkOf(t, "ES256", members{"kid": "c"})}, "EdDSA", members{"kid": nil}, 0},
		"no kid, an encryption key beside it":    {[]members{ed("a"), jwkOf(t, "EdDSA", members{"kid": "b", "use": "enc", "x": b64(make([]byte, 32))})}, "EdDSA", members{"kid": nil}, 0},
		"two keys without kid, the first":        {[]members{ed(nil), jwkOf(t, "ES256", members{"kid": nil})}, "EdDSA", members{"kid": nil}, 0},
		"two keys without kid, the second":       {[]members{ed(nil), jwkOf(t, "ES256", members{"kid": nil})}, "ES256", members{"kid": nil}, 0},
		"one kid for RS256 and RS512":            {[]members{rs(members{"kid": "k1", "alg": "RS512"}), rs(members{"kid": "k1", "alg": "RS256"})}, "RS512", nil, 0},
		"RS512 with a key without alg":           {[]members{rs(members{"kid": "k1"})}, "RS512", nil, 0},
		"PS384":                                  {[]members{rs(members{"kid": "k1", "alg": "PS384"})}, "PS384", nil, 0},
		"PS512":                                  {[]members{rs(members{"kid": "k1", "alg": "PS512"})}, "PS512", nil, 0},
		"a thousand keys of one kid":             {thousand(rs(members{"kid": "k1"}), ed("k1")), "RS256", nil, errorsx.BadSignature},
		"no kid, five keys that fit":             {[]members{ed("a"), ed("b"), ed("c"), ed("d"), ed("e")}, "EdDSA", members{"kid": nil}, errorsx.BadSignature},
		"two keys of one kid":                    {[]members{jwkOf(t, "ES256", members{"kid": "k1"}), ed("k1")}, "EdDSA", nil, 0},
		"an unknown kid beside keys without kid": {[]members{jwkOf(t, "ES256", members{"kid": "other"}), ed(nil)}, "EdDSA", members{"kid": "new"}, 0},
		"a certificate in a token without kid":   {[]members{ed(nil)}, "EdDSA", members{"kid": nil, "x5c": []string{"x"}}, errorsx.BadSignature},
		"a URL of keys beside a known kid":       {[]members{ed("k1")}, "EdDSA", members{"jku": "https://evil.example/"}, 0},
		"an unknown kid beside known keys":       {[]members{ed("a")}, "EdDSA", members{"kid": "new"}, errorsx.BadSignature},
		"RS384 with a key without alg":           {[]members{rs(members{"kid": "k1"})}, "RS384", nil, 0},
		"RS384 with a key for RS256":             {[]members{rs(members{"kid": "k1", "alg": "RS256"})}, "RS384", nil, errorsx.BadSignature},
		"PS256 with a key without alg":           {[]members{rs(members{"kid": "k1"})}, "PS256", nil, errorsx.BadSignature},
		"PS256 with a key for it":                {[]members{rs(members{"kid": "k1", "alg": "PS256"})}, "PS256", nil, 0},
		"the name Ed25519":                       {[]members{jwkOf(t, "EdDSA", members{"kid": "k1", "alg": "Ed25519"})}, "EdDSA", members{"alg": "Ed25519"}, 0},
		"HS256 with a public key":                {[]members{rs(members{"kid": "k1"})}, "HS256", nil, errorsx.BadSignature},
	} {
		s := &site{pages: map[string]string{oidcAt: metadata(nil), jwksAt: jwks(tt.set...)}}
		v := verifier(t, remoteConfig(s))
		key := tt.alg
		if strings.HasPrefix(key, "RS") || strings.HasPrefix(key, "PS") {
			key = "RS256"
		}
		signed := signAs(t, tt.alg, key, changed(headerOf(members{"alg": tt.alg}), tt.header), claimsOf(members{"iss": iss}))
		if got := ask(t, v, signed); got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}

// TestWithdrawnKey withdraws one of two keys of one kid. A cache forgets the tokens of
// that key after the next refresh, and keeps those of the other.
func TestWithdrawnKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ed, es := jwkOf(t, "EdDSA", members{"kid": "k1"}), jwkOf(t, "ES256", members{"kid": "k1"})
		s := &site{pages: map[string]string{oidcAt: metadata(nil), jwksAt: jwks(ed, es)}}
		cfg := remoteConfig(s)
		cfg.Refresh = time.Minute // before the cache's TTL ends
		v := verifier(t, cfg)
		cache := newCache(t, v, 100, middleware.CacheConfig{})
		claims := claimsOf(members{"iss": iss, "exp": time.Now().Unix() + 3600})
		byEd, byES := sign(t, "EdDSA", headerOf(nil), claims), sign(t, "ES256", headerOf(members{"alg": "ES256"}), claims)
		for _, signed := range []string{byEd, byES} {
			if code := ask(t, cache, signed); code != 0 {
				t.Fatalf("before: got %v", code)
			}
		}

		s.set(jwksAt, jwks(es))
		time.Sleep(time.Minute + time.Second)
		if got := []errorsx.Code{ask(t, cache, byEd), ask(t, cache, byES)}; got[0] != errorsx.BadSignature || got[1] != 0 {
			t.Errorf("after the withdrawal: got %v, want AUTH-10 and none", got)
		}
	})
}

// TestTwoIssuers tests that an issuer's key verifies no token of another one.
func TestTwoIssuers(t *testing.T) {
	v := verifier(t, plain(t, "EdDSA"), plain(t, "ES256", func(c *idp.Config) { c.Issuers = []string{"https://other.example"} }))
	for _, tt := range []struct {
		iss, alg string
		want     errorsx.Code
	}{
		{"https://id.example", "EdDSA", 0}, {"https://other.example", "ES256", 0},
		{"https://id.example", "ES256", errorsx.BadSignature}, {"https://other.example", "EdDSA", errorsx.BadSignature},
		{"https://third.example", "EdDSA", errorsx.UnknownToken},
	} {
		if got := ask(t, v, sign(t, tt.alg, headerOf(members{"alg": tt.alg}), claimsOf(members{"iss": tt.iss}))); got != tt.want {
			t.Errorf("%s by %s: got %v, want %v", tt.iss, tt.alg, got, tt.want)
		}
	}
}

// TestOpeningEnds tests that the end of Open's context ends the opening and nothing
// else.
func TestOpeningEnds(t *testing.T) {
	s := &site{pages: map[string]string{oidcAt: metadata(nil), jwksAt: jwks(jwkOf(t, "EdDSA", members{"kid": "k1"}))}}
	ctx, cancel := context.WithCancel(t.Context())
	v, err := idp.Open(ctx, remoteConfig(s))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	cancel()
	if code := ask(t, v, sign(t, "EdDSA", headerOf(nil), claimsOf(members{"iss": iss}))); code != 0 {
		t.Errorf("after the context: got %v", code)
	}
}
