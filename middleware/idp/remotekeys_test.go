package idp_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
)

const testJWKS = "https://id.example/jwks"

// A remote is a server that gives the same answer to every request until it is
// changed.
type remote struct {
	mu      sync.Mutex
	answer  func(r *http.Request) (*http.Response, error)
	fetches atomic.Int64
}

func (s *remote) RoundTrip(r *http.Request) (*http.Response, error) {
	s.fetches.Add(1)
	s.mu.Lock()
	answer := s.answer
	s.mu.Unlock()
	return answer(r)
}

func (s *remote) client() *http.Client { return &http.Client{Transport: s} }

func (s *remote) does(answer func(r *http.Request) (*http.Response, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *remote) says(status int, body string) {
	s.does(func(*http.Request) (*http.Response, error) { return response(status, body), nil })
}

func (s *remote) fails() {
	s.does(func(*http.Request) (*http.Response, error) { return nil, errors.New("unreachable") })
}

// hangs is an answer that does not come before the request ends.
func (s *remote) hangs() {
	s.does(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
}

func response(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

func publishes(keys ...members) *remote {
	s := &remote{}
	s.says(200, jwks(keys...))
	return s
}

func jwks(keys ...members) string {
	b, _ := json.Marshal(map[string]any{"keys": keys})
	return string(b)
}

// jwkOf returns the public key of a signer as a JWK.
func jwkOf(t testing.TB, signer string, changes members) members {
	t.Helper()
	m := members{"kid": signer, "use": "sig"}
	switch k := public(signers()[signer]).(type) {
	case *ecdsa.PublicKey:
		b, err := k.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		n := len(b) / 2
		m["kty"], m["crv"], m["x"], m["y"] = "EC", k.Curve.Params().Name, b64(b[1:1+n]), b64(b[1+n:])
	case ed25519.PublicKey:
		m["kty"], m["crv"], m["x"] = "OKP", "Ed25519", b64([]byte(k))
	case *rsa.PublicKey:
		m["kty"], m["n"], m["e"] = "RSA", b64(k.N.Bytes()), b64(big.NewInt(int64(k.E)).Bytes())
	}
	return changed(m, changes)
}

// remoteTokens opens a verifier of the tokens of an issuer of this suite whose keys s
// publishes.
func remoteTokens(t testing.TB, s *remote, changes ...func(*idp.Config)) *idp.Verifier {
	t.Helper()
	cfg := remoteOwn(s, testIssuer)
	cfg.Refresh, cfg.MaxStale = 0, 0
	for _, change := range changes {
		change(&cfg)
	}
	return verifier(t, cfg)
}

// refreshed sets how often keys are read.
func refreshed(every time.Duration) func(*idp.Config) {
	return func(c *idp.Config) { c.Refresh = every }
}

// keyOf returns the key for a token of the test's issuer with that header.
func keyOf(v *idp.Verifier, kid, alg string) (any, error) {
	token := jwt.NewWithClaims(jwt.GetSigningMethod(alg), jwt.MapClaims{"iss": testIssuer})
	if kid != "" {
		token.Header["kid"] = kid
	}
	keys, err := v.Keyfunc()(token)
	if err != nil {
		return nil, err
	}
	return keys.(jwt.VerificationKeySet).Keys[0], nil
}

// fresh returns a token of a signer under a kid, issued now and valid for a month.
func fresh(t testing.TB, signer, kid string, changes members) string {
	t.Helper()
	now := time.Now()
	pay := changed(payload(members{"iat": now.Unix(), "exp": now.AddDate(0, 1, 0).Unix()}), changes)
	return sign(t, signer, header(signer, members{"kid": kid}), pay)
}

// ask returns the code with which a token is refused now, or 0.
func ask(t testing.TB, v middleware.Validator, token string) errorsx.Code {
	t.Helper()
	_, code := judge(t, v, token, time.Now())
	return code
}

// TestRemoteKeys verifies tokens with keys from a server, each by its own algorithm.
func TestRemoteKeys(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "GET" || !strings.Contains(r.Header.Get("Accept"), "json") {
			t.Errorf("got %s %v", r.Method, r.Header)
		}
		io.WriteString(w, jwks(jwkOf(t, "ES256", nil), jwkOf(t, "ES384", members{"alg": "ES384"}), jwkOf(t, "EdDSA", nil), jwkOf(t, "RS256", nil),
			jwkOf(t, "RS256", members{"kid": "512", "alg": "RS512"})))
	}))
	defer server.Close()
	cfg := idp.Own(testIssuer, testAudience)
	cfg.JWKSURL = server.URL
	v := verifier(t, cfg)
	for _, alg := range []string{"ES256", "ES384", "EdDSA", "RS256"} {
		if code := ask(t, v, fresh(t, alg, alg, nil)); code != 0 {
			t.Errorf("%s: refused with %v", alg, code)
		}
	}
	for _, tt := range []struct{ kid, alg string }{{"RS256", "PS256"}, {"512", "RS256"}, {"ES256", "ES384"}, {"ES256", "HS256"}} {
		if key, err := keyOf(v, tt.kid, tt.alg); !errors.Is(err, idp.ErrNoKey) {
			t.Errorf("kid %q for %s: got %T, %v", tt.kid, tt.alg, key, err)
		}
	}
	if s := v.Stats()[0]; s.Issuer != testIssuer || s.Keys != 5 || s.Skipped != 0 || s.Err != nil || time.Since(s.Good) > time.Minute {
		t.Errorf("got %+v", s)
	}
}

// TestOfflineTokens tests that a cache subscribes, and that it starts
// flights only for tokens whose key is not at hand.
func TestOfflineTokens(t *testing.T) {
	v := remoteTokens(t, publishes(jwkOf(t, "ES256", nil)))
	for _, tt := range []struct {
		token string
		local bool
	}{
		{fresh(t, "ES256", "ES256", nil), true},
		{fresh(t, "ES256", "other", nil), false},
		{sign(t, "ES256", header("ES256", members{"kid": nil}), payload(nil)), true},
		{sign(t, "ES256", header("ES256", members{"kid": 7}), payload(nil)), true},
		{"garbled", true},
		{"", true},
	} {
		for range 2 { // the second time the header is known
			if got := v.Offline(token(tt.token)); got != tt.local {
				t.Errorf("Offline(%s) = %t, want %t", tt.token, got, tt.local)
			}
			judge(t, v, tt.token, time.Now())
		}
	}
	c := newCache(t, v, 100, middleware.CacheConfig{})
	for kid, flights := range map[string]uint64{"ES256": 0, "other": 1} {
		ask(t, c, fresh(t, "ES256", kid, nil))
		if got := c.Stats().Flights; got < flights || kid == "ES256" && got > 1 {
			t.Errorf("kid %s: %d flights", kid, got)
		}
	}
}

// TestRemoteKeysDown tests that the last set is used until it is too old if it cannot
// be fetched. The failure is never the client's fault.
func TestRemoteKeysDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := publishes(jwkOf(t, "ES256", nil))
		v := remoteTokens(t, s, func(c *idp.Config) { c.Refresh, c.MaxStale = time.Minute, time.Hour })
		c := newCache(t, v, 100, middleware.CacheConfig{})
		good, unknown := fresh(t, "ES256", "ES256", nil), fresh(t, "EdDSA", "EdDSA", nil)
		s.fails()
		time.Sleep(30 * time.Minute)
		for _, v := range []middleware.Validator{v, c} {
			if code := ask(t, v, good); code != 0 {
				t.Errorf("the last good set is not used: %v", code)
			}
			if code := ask(t, v, unknown); code != errorsx.Internal {
				t.Errorf("an unknown kid: got %v, want a failure of ours", code)
			}
		}
		if st := v.Stats()[0]; st.Err == nil || st.Failures == 0 || time.Since(st.Good) != 30*time.Minute {
			t.Errorf("got %+v", st)
		}
		time.Sleep(30*time.Minute + time.Second)
		for _, v := range []middleware.Validator{v, c} {
			if code := ask(t, v, good); code != errorsx.Internal {
				t.Errorf("too old a set: got %v, want a failure of ours", code)
			}
		}
		s.says(200, jwks(jwkOf(t, "EdDSA", nil)))
		time.Sleep(11 * time.Second)
		for _, v := range []middleware.Validator{v, c} {
			if got := ask(t, v, good); got != errorsx.BadSignature {
				t.Errorf("recovered without the key: got %v", got)
			}
			if got := ask(t, v, unknown); got != 0 {
				t.Errorf("recovered: got %v", got)
			}
		}
	})
}

// TestRemoteKeysSlow tests that a request waits two seconds for a key, and that a
// fetch continues when its request ends.
func TestRemoteKeysSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := publishes(jwkOf(t, "ES256", nil))
		v := remoteTokens(t, s)
		s.does(func(*http.Request) (*http.Response, error) {
			time.Sleep(3 * time.Second)
			return response(200, jwks(jwkOf(t, "EdDSA", nil))), nil
		})
		good := fresh(t, "EdDSA", "EdDSA", nil)
		began := time.Now()
		var wg sync.WaitGroup
		for i := range 50 {
			ctx, cancel := context.WithCancel(t.Context())
			wg.Go(func() {
				_, err := v.Validate(ctx, token(good))
				if err == nil || errorsx.From(err).Code != errorsx.Internal {
					t.Errorf("got %v, want no decision", err)
				}
			})
			if i == 0 {
				synctest.Wait()
				cancel()
			}
			defer cancel()
		}
		wg.Wait()
		if d := time.Since(began); d != 2*time.Second || s.fetches.Load() != 2 {
			t.Errorf("waited %v for %d fetches", d, s.fetches.Load()-1)
		}
		time.Sleep(2 * time.Second)
		if _, err := v.Validate(t.Context(), token(good)); err != nil {
			t.Error(err)
		}
	})
}

func TestRemoteKeysAllowEmptyStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &remote{}
		s.hangs()
		start, cancel := context.WithTimeout(t.Context(), time.Second) // it bounds only the first fetch
		defer cancel()
		cfg := remoteOwn(s, testIssuer)
		cfg.AllowEmptyStart = true
		v, err := idp.Open(start, cfg)
		if err != nil {
			t.Fatal(err)
		}
		c := newCache(t, v, 100, middleware.CacheConfig{TTL: 24 * time.Hour})
		for _, v := range []middleware.Validator{v, c} {
			if code := ask(t, v, fresh(t, "ES256", "ES256", nil)); code != errorsx.Internal {
				t.Errorf("got %v, want a failure of ours", code)
			}
		}
		if _, err := keyOf(v, "", "ES256"); err == nil || errors.Is(err, idp.ErrNoKey) {
			t.Errorf("without kid: got %v, want a failure of ours", err)
		}
		s.says(200, jwks(jwkOf(t, "ES256", nil)))
		time.Sleep(20 * time.Second)
		for _, v := range []middleware.Validator{v, c} {
			if code := ask(t, v, fresh(t, "ES256", "ES256", nil)); code != 0 {
				t.Errorf("refused with %v once the set is there", code)
			}
		}
		v.Close()
		began := time.Now()
		for _, kid := range []string{"other", "ES256", ""} {
			if _, err := keyOf(v, kid, "ES256"); err == nil || errors.Is(err, idp.ErrNoKey) || time.Since(began) > 0 {
				t.Errorf("key %q after Close: got %v after %v, want no decision", kid, err, time.Since(began))
			}
		}
		for _, v := range []middleware.Validator{v, c} {
			if code := ask(t, v, fresh(t, "ES256", "ES256", nil)); code != errorsx.Internal {
				t.Errorf("the known key after Close: got %v, want AUTH-8", code)
			}
		}
	})
}

// TestS09RemoteKeys tests answers of a malicious server.
func TestS09RemoteKeys(t *testing.T) {
	good := jwks(jwkOf(t, "ES256", nil))
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("%s was asked", r.URL)
		io.WriteString(w, good)
	}))
	defer other.Close()
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		ok     bool
	}{
		"endless": {func(w http.ResponseWriter, r *http.Request) {
			for err := error(nil); err == nil; {
				_, err = w.Write(bytes.Repeat([]byte(" "), 1<<16))
			}
		}, false},
		"slow":                {func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, false},
		"slow body":           {func(w http.ResponseWriter, r *http.Request) { w.(http.Flusher).Flush(); <-r.Context().Done() }, false},
		"redirect to another": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) }, false},
		"redirect to metadata": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
		}, false},
		"redirect to https":     {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "https://"+r.Host, http.StatusFound) }, false},
		"redirects without end": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/again", http.StatusFound) }, false},
		"redirect within":       {func(w http.ResponseWriter, r *http.Request) { redirectOnce(w, r, good) }, true},
		"an answer cut in two": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "9999")
			io.WriteString(w, good)
		}, false},
		"a panic in the handler":  {func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, false},
		"a set of the right form": {func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, good) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(tt.answer)
			defer server.Close()
			cfg := idp.Own(testIssuer, testAudience)
			cfg.JWKSURL, cfg.Log = server.URL, slog.New(slog.DiscardHandler)
			ctx := t.Context()
			if strings.HasPrefix(name, "slow") {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, 50*time.Millisecond)
				defer cancel()
			}
			v, err := idp.Open(ctx, cfg)
			if (err == nil) != tt.ok {
				t.Errorf("got %v", err)
			}
			if err == nil {
				v.Close()
			}
		})
	}
}

// TestRemoteKeysRedirects tests that redirects to plain HTTP and endless redirects
// are not followed.
func TestRemoteKeysRedirects(t *testing.T) {
	for _, to := range []string{"http://id.example/jwks", "https://id.example:444/jwks", testJWKS} {
		s := &remote{}
		s.does(func(r *http.Request) (*http.Response, error) {
			if r.URL.Scheme != "https" || r.URL.Host != "id.example" {
				t.Errorf("%s was asked", r.URL)
			}
			resp := response(302, "")
			resp.Header.Set("Location", to)
			return resp, nil
		})
		_, err := idp.Open(t.Context(), remoteOwn(s, testIssuer))
		if err == nil || s.fetches.Load() > 4 {
			t.Errorf("to %s: got %v after %d requests", to, err, s.fetches.Load())
		}
	}
}

func redirectOnce(w http.ResponseWriter, r *http.Request, body string) {
	if r.URL.Path != "/there" {
		http.Redirect(w, r, "/there", http.StatusMovedPermanently)
		return
	}
	io.WriteString(w, body)
}

// TestRemoteKeysPanickingClient tests that a fetch recovers from a panic of the
// client, since no caller does.
func TestRemoteKeysPanickingClient(t *testing.T) {
	s := &remote{}
	s.does(func(*http.Request) (*http.Response, error) { panic("broken") })
	_, err := idp.Open(t.Context(), remoteOwn(s, testIssuer))
	if err == nil || !strings.Contains(err.Error(), "panicked") {
		t.Errorf("got %v", err)
	}
}

// TestJWKSURL opens verifiers with URLs of key sets that may be fetched, and others.
func TestJWKSURL(t *testing.T) {
	s := publishes(jwkOf(t, "ES256", nil))
	for _, url := range []string{"id.example/jwks", "http://id.example/jwks", "http://127.0.0.1.example/", "ftp://id.example", "https://", "https:///jwks",
		"https://a:s3cret@id.example/", "https://id.example/#x", "https://id.exa mple/", "file:///etc/passwd", ":"} {
		cfg := remoteOwn(s, testIssuer)
		cfg.JWKSURL = url
		if v, err := idp.Open(t.Context(), cfg); err == nil || v != nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: got %v", url, err)
		}
	}
	for _, url := range []string{testJWKS, "http://127.0.0.1:1/", "http://[::1]/", "http://localhost:8080/jwks?x=y"} {
		cfg := remoteOwn(s, testIssuer)
		cfg.JWKSURL = url
		verifier(t, cfg)
	}
}
