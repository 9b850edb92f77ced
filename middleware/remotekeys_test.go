package middleware_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
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
)

const testJWKS = "https://id.example/jwks"

// A remote answers every request alike, until it is told another answer.
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

// hangs answers nothing before the request ends.
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

// jwkOf is the public key of one of the signers.
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

func remoteKeys(t testing.TB, s *remote, cfg middleware.RemoteKeysConfig) *middleware.RemoteKeys {
	t.Helper()
	cfg.Client = s.client()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	keys, err := middleware.NewRemoteKeys(t.Context(), testJWKS, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func tokensOf(t testing.TB, keys middleware.Keys) middleware.Validator {
	t.Helper()
	v, err := middleware.JWT(keys, middleware.JWTConfig{Issuer: testIssuer, Audience: []string{testAudience}})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// fresh is a token issued now, valid for a month, of a signer under a kid.
func fresh(t testing.TB, signer, kid string, changes members) string {
	t.Helper()
	now := time.Now()
	pay := changed(payload(members{"iat": now.Unix(), "exp": now.AddDate(0, 1, 0).Unix()}), changes)
	return sign(t, signer, header(signer, members{"kid": kid}), pay)
}

// ask returns the code that a token gets now, 0 for none.
func ask(t testing.TB, v middleware.Validator, token string) errorsx.Code {
	t.Helper()
	_, code := judge(t, v, token, time.Now())
	return code
}

// TestRemoteKeys verifies with keys from a server, by the algorithm that each
// one has.
func TestRemoteKeys(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "GET" || !strings.Contains(r.Header.Get("Accept"), "json") {
			t.Errorf("got %s %v", r.Method, r.Header)
		}
		io.WriteString(w, jwks(jwkOf(t, "ES256", nil), jwkOf(t, "ES384", members{"alg": "ES384"}), jwkOf(t, "EdDSA", nil), jwkOf(t, "RS256", nil),
			jwkOf(t, "RS256", members{"kid": "512", "alg": "RS512"})))
	}))
	defer server.Close()
	keys, err := middleware.NewRemoteKeys(t.Context(), server.URL, middleware.RemoteKeysConfig{})
	if err != nil {
		t.Fatal(err)
	}
	v := tokensOf(t, keys)
	for _, alg := range []string{"ES256", "ES384", "EdDSA", "RS256"} {
		if code := ask(t, v, fresh(t, alg, alg, nil)); code != 0 {
			t.Errorf("%s: refused with %v", alg, code)
		}
	}
	for _, tt := range []struct{ kid, alg string }{{"RS256", "RS512"}, {"512", "RS256"}, {"ES256", "ES384"}, {"ES256", "HS256"}, {"", "ES256"}} {
		if key, err := keys.Key(t.Context(), tt.kid, tt.alg); !errors.Is(err, middleware.ErrNoKey) {
			t.Errorf("kid %q for %s: got %T, %v", tt.kid, tt.alg, key, err)
		}
	}
	if s := keys.Stats(); s.Keys != 5 || s.Skipped != 0 || s.Err != nil || time.Since(s.Good) > time.Minute {
		t.Errorf("got %+v", s)
	}
}

// TestRemoteKeysIsSourceAndLocal: a cache subscribes, and flies for keys alone
// that are not at hand.
func TestRemoteKeysIsSourceAndLocal(t *testing.T) {
	v := tokensOf(t, remoteKeys(t, publishes(jwkOf(t, "ES256", nil)), middleware.RemoteKeysConfig{}))
	if _, ok := v.(middleware.Source); !ok {
		t.Error("JWT of remote keys is no Source")
	}
	if _, ok := tokensOf(t, allKeys(t)).(middleware.Source); ok {
		t.Error("JWT of static keys is a Source")
	}
	local := v.(middleware.Local)
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
		for range 2 { // also once the header is known
			if got := local.Local(token(tt.token)); got != tt.local {
				t.Errorf("Local(%s) = %t, want %t", tt.token, got, tt.local)
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

// TestJ05RandomKids: made-up kids cause one fetch for each cooldown, and delay
// nobody whose key is known.
func TestJ05RandomKids(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := publishes(jwkOf(t, "ES256", nil))
		keys := remoteKeys(t, s, middleware.RemoteKeysConfig{Refresh: time.Hour, Cooldown: 10 * time.Second})
		c := newCache(t, tokensOf(t, keys), 100, middleware.CacheConfig{})
		s.does(func(r *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return response(200, jwks(jwkOf(t, "ES256", nil))), nil
		})
		signature := "." + b64(make([]byte, 64))
		junk := func(i int) string {
			return b64(members{"alg": "ES256", "typ": "at+jwt", "kid": fmt.Sprint("random", i)}) + "." + b64(payload(nil)) + signature
		}
		var wg sync.WaitGroup
		const each = 100
		for second := range 10 {
			for i := range each {
				wg.Go(func() {
					if code := ask(t, c, junk(second*each+i)); code != errorsx.BadSignature {
						t.Errorf("junk: got %v", code)
					}
				})
			}
			good := fresh(t, "ES256", "ES256", members{"jti": fmt.Sprint(second)})
			began := time.Now()
			if code := ask(t, c, good); code != 0 || time.Since(began) > 0 {
				t.Errorf("a good token: got %v after %v", code, time.Since(began))
			}
			time.Sleep(999 * time.Millisecond)
		}
		wg.Wait()
		before := heap()
		for i := range 9000 {
			if _, err := keys.Key(t.Context(), fmt.Sprint("kid", i), "ES256"); !errors.Is(err, middleware.ErrNoKey) {
				t.Fatal(err)
			}
		}
		if after := heap(); after > before+1<<20 {
			t.Errorf("the heap grew by %d bytes", after-before)
		}
		if got := s.fetches.Load(); got > 3 {
			t.Errorf("%d fetches, want the first, and one for each cooldown", got)
		}
		time.Sleep(10 * time.Second)
		got := s.fetches.Load()
		keys.Key(t.Context(), "another", "ES256")
		if s.fetches.Load() != got+1 {
			t.Errorf("no fetch after the cooldown")
		}
	})
}

// TestJ31Rotation: a key is found by its first token, and one that is withdrawn
// verifies nothing after the next refresh, also from a cache.
func TestJ31Rotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := publishes(jwkOf(t, "ES256", nil))
		c := newCache(t, tokensOf(t, remoteKeys(t, s, middleware.RemoteKeysConfig{Refresh: time.Minute})), 100, middleware.CacheConfig{TTL: 24 * time.Hour})
		old, new := fresh(t, "ES256", "ES256", nil), fresh(t, "EdDSA", "EdDSA", nil)
		check := func(when string, oldCode, newCode errorsx.Code) {
			t.Helper()
			if got := ask(t, c, old); got != oldCode {
				t.Errorf("%s: the old key's token got %v, want %v", when, got, oldCode)
			}
			if got := ask(t, c, new); got != newCode {
				t.Errorf("%s: the new key's token got %v, want %v", when, got, newCode)
			}
		}
		check("before", 0, errorsx.BadSignature)
		time.Sleep(10 * time.Second)
		s.says(200, jwks(jwkOf(t, "ES256", nil), jwkOf(t, "EdDSA", nil)))
		check("overlap", 0, 0)
		s.says(200, jwks(jwkOf(t, "EdDSA", nil)))
		check("withdrawn, not yet refreshed", 0, 0)
		time.Sleep(time.Minute + time.Second)
		check("refreshed", errorsx.BadSignature, 0)
		s.says(200, jwks(jwkOf(t, "ES256", members{"kid": "EdDSA"})))
		time.Sleep(time.Minute + time.Second)
		check("another key under the kid", errorsx.BadSignature, errorsx.BadSignature)
		s.says(200, jwks(jwkOf(t, "EdDSA", members{"kid": nil})))
		time.Sleep(time.Minute + time.Second)
		check("a key without kid, alone", errorsx.BadSignature, 0)
		s.says(200, jwks(jwkOf(t, "ES256", members{"kid": nil})))
		time.Sleep(time.Minute + time.Second)
		check("another one", 0, errorsx.BadSignature)
	})
}

// TestJ31RotationUnderLoad rotates all the time: no good token is refused.
func TestJ31RotationUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := publishes(jwkOf(t, "ES256", nil))
		slow := func(body string) {
			s.does(func(*http.Request) (*http.Response, error) {
				time.Sleep(100 * time.Millisecond)
				return response(200, body), nil
			})
		}
		keys := remoteKeys(t, s, middleware.RemoteKeysConfig{Refresh: time.Second, Cooldown: time.Second})
		c := newCache(t, tokensOf(t, keys), 1000, middleware.CacheConfig{})
		set := []members{jwkOf(t, "ES256", nil)}
		var wg sync.WaitGroup
		for i := range 20 {
			kid := fmt.Sprint("k", i)
			set = append(set, jwkOf(t, "ES256", members{"kid": kid}))
			slow(jwks(set...))
			for j := range 10 {
				wg.Go(func() {
					if code := ask(t, c, fresh(t, "ES256", kid, members{"jti": fmt.Sprint(i, j)})); code != 0 {
						t.Errorf("%s: refused with %v", kid, code)
					}
				})
			}
			time.Sleep(2050 * time.Millisecond)
		}
		wg.Wait()
	})
}

// TestJ31RotationDuringFetch: a fetch that had begun before the new key was
// published does not decide on it.
func TestJ31RotationDuringFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := publishes(jwkOf(t, "ES256", nil))
		keys := remoteKeys(t, s, middleware.RemoteKeysConfig{Refresh: time.Minute})
		s.does(func(*http.Request) (*http.Response, error) {
			time.Sleep(500 * time.Millisecond)
			return response(200, jwks(jwkOf(t, "ES256", nil))), nil
		})
		time.Sleep(time.Minute + 100*time.Millisecond)
		s.says(200, jwks(jwkOf(t, "ES256", nil), jwkOf(t, "EdDSA", nil)))
		if _, err := keys.Key(t.Context(), "EdDSA", "EdDSA"); err != nil || s.fetches.Load() != 3 {
			t.Errorf("got %v after %d fetches", err, s.fetches.Load())
		}
	})
}

// TestRemoteKeysDown: a set that cannot be fetched is relied upon until it is
// too old, and is never the client's fault.
func TestRemoteKeysDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := publishes(jwkOf(t, "ES256", nil))
		keys := remoteKeys(t, s, middleware.RemoteKeysConfig{Refresh: time.Minute, MaxAge: time.Hour})
		v := tokensOf(t, keys)
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
		if st := keys.Stats(); st.Err == nil || st.Failures == 0 || time.Since(st.Good) != 30*time.Minute {
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

// TestRemoteKeysSlow: a request waits two seconds for a key, and no fetch is
// cancelled because its request ends.
func TestRemoteKeysSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := publishes(jwkOf(t, "ES256", nil))
		keys := remoteKeys(t, s, middleware.RemoteKeysConfig{})
		s.does(func(*http.Request) (*http.Response, error) {
			time.Sleep(3 * time.Second)
			return response(200, jwks(jwkOf(t, "EdDSA", nil))), nil
		})
		began := time.Now()
		var wg sync.WaitGroup
		for i := range 50 {
			ctx, cancel := context.WithCancel(t.Context())
			wg.Go(func() {
				if _, err := keys.Key(ctx, "EdDSA", "EdDSA"); err == nil || errors.Is(err, middleware.ErrNoKey) {
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
		if _, err := keys.Key(t.Context(), "EdDSA", "EdDSA"); err != nil {
			t.Error(err)
		}
	})
}

func TestRemoteKeysAllowEmptyStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &remote{}
		s.hangs()
		ctx, cancel := context.WithCancel(t.Context())
		keys, err := middleware.NewRemoteKeys(ctx, testJWKS, middleware.RemoteKeysConfig{
			AllowEmptyStart: true, MaxAge: time.Hour, Client: s.client(), Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		v := tokensOf(t, keys)
		c := newCache(t, v, 100, middleware.CacheConfig{TTL: 24 * time.Hour})
		for _, v := range []middleware.Validator{v, c} {
			if code := ask(t, v, fresh(t, "ES256", "ES256", nil)); code != errorsx.Internal {
				t.Errorf("got %v, want a failure of ours", code)
			}
		}
		if _, err := keys.Key(t.Context(), "", "ES256"); err == nil || errors.Is(err, middleware.ErrNoKey) {
			t.Errorf("without kid: got %v, want a failure of ours", err)
		}
		s.says(200, jwks(jwkOf(t, "ES256", nil)))
		time.Sleep(20 * time.Second)
		for _, v := range []middleware.Validator{v, c} {
			if code := ask(t, v, fresh(t, "ES256", "ES256", nil)); code != 0 {
				t.Errorf("refused with %v once the set is there", code)
			}
		}
		cancel()
		synctest.Wait()
		began := time.Now()
		if _, err := keys.Key(t.Context(), "other", "ES256"); err == nil || errors.Is(err, middleware.ErrNoKey) || time.Since(began) > 0 {
			t.Errorf("after the end: got %v after %v, want no decision", err, time.Since(began))
		}
		good := fresh(t, "ES256", "ES256", nil)
		for _, want := range []errorsx.Code{0, errorsx.Internal} {
			for _, v := range []middleware.Validator{v, c} {
				if code := ask(t, v, good); code != want {
					t.Errorf("after the end, the known key: got %v, want %v", code, want)
				}
			}
			time.Sleep(time.Hour)
		}
	})
}

// TestRemoteKeysSkips: one bad key does not cost the others.
func TestRemoteKeysSkips(t *testing.T) {
	weak, _ := rsa.GenerateKey(rand.Reader, 1024)
	big8 := jwkOf(t, "RS256", members{"n": b64(append([]byte{1}, make([]byte, 2000)...)), "kid": "x"})
	for name, bad := range map[string]any{
		"a number":              7,
		"null":                  nil,
		"a list":                []int{1},
		"kty a number":          members{"kty": 1, "kid": "x"},
		"kty unknown":           members{"kty": "XY", "kid": "x"},
		"kty missing":           members{"kid": "x"},
		"Ed448":                 members{"kty": "OKP", "crv": "Ed448", "x": b64(make([]byte, 57)), "kid": "x"},
		"X25519":                members{"kty": "OKP", "crv": "X25519", "x": b64(make([]byte, 32)), "kid": "x"},
		"secp256k1":             members{"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA", "kid": "x"},
		"point off the curve":   jwkOf(t, "ES256", members{"x": b64([]byte{1}), "kid": "x"}),
		"coordinate too long":   jwkOf(t, "ES256", members{"x": b64(make([]byte, 4000)), "kid": "x"}),
		"no base64":             jwkOf(t, "ES256", members{"x": "!", "kid": "x"}),
		"y missing":             jwkOf(t, "ES256", members{"y": nil, "kid": "x"}),
		"weak RSA":              members{"kty": "RSA", "kid": "x", "n": b64(weak.N.Bytes()), "e": "AQAB"},
		"huge RSA":              big8,
		"exponent 1":            jwkOf(t, "RS256", members{"e": "AQ", "kid": "x"}),
		"exponent 2^64+65537":   jwkOf(t, "RS256", members{"e": b64([]byte{1, 0, 0, 0, 0, 0, 1, 0, 1}), "kid": "x"}),
		"alg of another type":   jwkOf(t, "RS256", members{"alg": "ES256", "kid": "x"}),
		"alg of another curve":  jwkOf(t, "ES256", members{"alg": "ES384", "kid": "x"}),
		"PS256":                 jwkOf(t, "RS256", members{"alg": "PS256", "kid": "x"}),
		"none":                  jwkOf(t, "RS256", members{"alg": "none", "kid": "x"}),
		"HS256 with a public":   jwkOf(t, "RS256", members{"alg": "HS256", "kid": "x"}),
		"oct":                   members{"kty": "oct", "k": b64(make([]byte, 64)), "kid": "x"},
		"oct, HS256":            members{"kty": "oct", "k": b64(make([]byte, 64)), "alg": "HS256", "kid": "x"},
		"private":               jwkOf(t, "ES256", members{"d": "AA", "kid": "x"}),
		"private, d a number":   jwkOf(t, "ES256", members{"d": 1, "kid": "x"}),
		"RSA prime":             jwkOf(t, "RS256", members{"p": "AA", "kid": "x"}),
		"use enc":               jwkOf(t, "ES256", members{"use": "enc", "kid": "x"}),
		"key_ops sign":          jwkOf(t, "ES256", members{"key_ops": []string{"sign"}, "kid": "x"}),
		"key_ops []":            jwkOf(t, "ES256", members{"key_ops": []string{}, "kid": "x"}),
		"key_ops a string":      jwkOf(t, "ES256", members{"key_ops": "verify", "kid": "x"}),
		"kid a number":          jwkOf(t, "ES256", members{"kid": 7}),
		"no kid beside another": jwkOf(t, "ES256", members{"kid": nil}),
		"the other's kid":       jwkOf(t, "ES256", members{"kid": "EdDSA"}),
		"a member twice":        json.RawMessage(`{"kty":"EC","kty":"EC","kid":"x"}`),
		"KTY":                   json.RawMessage(`{"KTY":"EC","kid":"x"}`),
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			s := &remote{}
			b, _ := json.Marshal(map[string]any{"keys": []any{jwkOf(t, "EdDSA", nil), bad}})
			s.says(200, string(b))
			keys := remoteKeys(t, s, middleware.RemoteKeysConfig{Log: slog.New(slog.NewTextHandler(&log, nil))})
			if code := ask(t, tokensOf(t, keys), fresh(t, "EdDSA", "EdDSA", nil)); code != 0 {
				t.Errorf("the good key: got %v", code)
			}
			if st := keys.Stats(); st.Keys != 1 || st.Skipped != 1 {
				t.Errorf("got %+v", st)
			}
			if n := strings.Count(log.String(), "not used"); n != 1 {
				t.Errorf("logged %d times: %s", n, &log)
			}
			for _, alg := range []string{"HS256", "RS256", "ES256"} {
				if key, err := keys.Key(t.Context(), "x", alg); !errors.Is(err, middleware.ErrNoKey) {
					t.Errorf("%s: got %T, %v", alg, key, err)
				}
			}
		})
	}
}

// TestRemoteKeysKeepsOddKeys: what is unusual, and right.
func TestRemoteKeysKeepsOddKeys(t *testing.T) {
	for name, changes := range map[string]members{
		"no use":                {"use": nil},
		"key_ops verify":        {"key_ops": []string{"sign", "verify"}},
		"members of one's own":  {"x-own": 1, "iat": 7, "ext": true},
		"a certificate, broken": {"x5c": []string{"!"}, "x5t": "?", "x5u": "http://evil.example"},
		"no kid, alone":         {"kid": nil},
		"the same twice":        {"kid": "ES256"},
	} {
		s := publishes(jwkOf(t, "ES256", changes))
		if name == "the same twice" {
			s = publishes(jwkOf(t, "ES256", nil), jwkOf(t, "ES256", changes))
		}
		v := tokensOf(t, remoteKeys(t, s, middleware.RemoteKeysConfig{}))
		if code := ask(t, v, fresh(t, "ES256", "ES256", nil)); code != 0 || s.fetches.Load() != 1 {
			t.Errorf("%s: got %v after %d fetches", name, code, s.fetches.Load())
		}
	}
}

// badSets are bodies that are no key set.
var badSets = map[string]string{
	"empty": "", "HTML": "<html></html>", "null": "null", "list": "[]", "no keys": "{}", "keys null": `{"keys":null}`, "keys empty": `{"keys":[]}`,
	"keys an object": `{"keys":{}}`, "Keys": `{"Keys":[{}]}`, "no good key": `{"keys":[{"kty":"oct","k":"AA"}]}`, "more behind": `{"keys":[]} {}`,
}

// TestRemoteKeysBadSets neither starts with them nor gives up a good set for one.
func TestRemoteKeysBadSets(t *testing.T) {
	good := jwks(jwkOf(t, "ES256", nil))
	badSets["truncated"] = good[:len(good)-2]
	badSets["keys twice"] = strings.TrimSuffix(good, "}") + `,` + good[1:]
	badSets["1 MiB"] = good + strings.Repeat(" ", 1<<20)
	for name, body := range badSets {
		for _, status := range []int{200, 304, 404, 500} {
			s := &remote{}
			if s.says(status, body); status != 200 {
				s.says(status, good)
			}
			_, err := middleware.NewRemoteKeys(t.Context(), testJWKS, middleware.RemoteKeysConfig{Client: s.client(), Log: slog.New(slog.DiscardHandler)})
			if err == nil {
				t.Errorf("%s, status %d: accepted", name, status)
			}
		}
		synctest.Test(t, func(t *testing.T) {
			s := &remote{}
			s.says(200, good)
			keys := remoteKeys(t, s, middleware.RemoteKeysConfig{Refresh: time.Second})
			s.says(200, body)
			time.Sleep(10 * time.Second)
			if _, err := keys.Key(t.Context(), "ES256", "ES256"); err != nil || keys.Stats().Err == nil {
				t.Errorf("%s: the last good set is not kept: %v", name, err)
			}
			if _, err := keys.Key(t.Context(), "other", "ES256"); err == nil || errors.Is(err, middleware.ErrNoKey) {
				t.Errorf("%s: an unknown kid: got %v, want no decision", name, err)
			}
		})
	}
}

// TestS09RemoteKeys: what a server may answer that means harm.
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
			cfg := middleware.RemoteKeysConfig{Log: slog.New(slog.DiscardHandler), Timeout: 5 * time.Second}
			if strings.HasPrefix(name, "slow") {
				cfg.Timeout = 50 * time.Millisecond
			}
			if _, err := middleware.NewRemoteKeys(t.Context(), server.URL, cfg); (err == nil) != tt.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestRemoteKeysRedirects: neither to plain http nor for ever.
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
		_, err := middleware.NewRemoteKeys(t.Context(), testJWKS, middleware.RemoteKeysConfig{Client: s.client(), Log: slog.New(slog.DiscardHandler)})
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

// TestRemoteKeysPanickingClient: nobody else recovers where the set is fetched.
func TestRemoteKeysPanickingClient(t *testing.T) {
	s := &remote{}
	s.does(func(*http.Request) (*http.Response, error) { panic("broken") })
	_, err := middleware.NewRemoteKeys(t.Context(), testJWKS, middleware.RemoteKeysConfig{Client: s.client(), Log: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "panicked") {
		t.Errorf("got %v", err)
	}
}

func TestNewRemoteKeysConfig(t *testing.T) {
	good := middleware.RemoteKeysConfig{AllowEmptyStart: true, Client: publishes(jwkOf(t, "ES256", nil)).client(), Log: slog.New(slog.DiscardHandler)}
	for _, url := range []string{"", "id.example/jwks", "http://id.example/jwks", "http://127.0.0.1.example/", "ftp://id.example", "https://", "https:///jwks",
		"https://a:s3cret@id.example/", "https://id.example/#x", "https://id.exa mple/", "file:///etc/passwd", ":"} {
		_, err := middleware.NewRemoteKeys(t.Context(), url, good)
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: got %v", url, err)
		}
	}
	for _, url := range []string{testJWKS, "http://127.0.0.1:1/", "http://[::1]/", "http://localhost:8080/jwks?x=y"} {
		if _, err := middleware.NewRemoteKeys(t.Context(), url, good); err != nil {
			t.Errorf("%q: %v", url, err)
		}
	}
	for name, set := range map[string]func(*middleware.RemoteKeysConfig){
		"refresh":  func(c *middleware.RemoteKeysConfig) { c.Refresh = time.Millisecond },
		"max age":  func(c *middleware.RemoteKeysConfig) { c.MaxAge = time.Minute },
		"cooldown": func(c *middleware.RemoteKeysConfig) { c.Cooldown = -1 },
		"timeout":  func(c *middleware.RemoteKeysConfig) { c.Timeout = -1 },
	} {
		cfg := good
		set(&cfg)
		if _, err := middleware.NewRemoteKeys(t.Context(), testJWKS, cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// FuzzKeySet states that no set yields a key which [middleware.CheckKey] refuses,
// and that a good set recovers from any other.
func FuzzKeySet(f *testing.F) {
	good := jwks(jwkOf(f, "ES256", nil))
	f.Add(good)
	f.Add(jwks(jwkOf(f, "RS256", nil), jwkOf(f, "EdDSA", members{"kid": "x"}), jwkOf(f, "ES384", members{"alg": "ES384"})))
	f.Add(`{"keys":[{"kty":"oct","k":"AAAA","alg":"HS256","kid":"x"}]}`)
	f.Add(`{"keys":[{"kty":"RSA","n":"AQ","e":"AQ"}]}`)
	for _, body := range badSets {
		f.Add(body)
	}
	algs := jwt.GetAlgorithms()
	f.Fuzz(func(t *testing.T, body string) {
		s := &remote{}
		s.says(200, body)
		cfg := middleware.RemoteKeysConfig{Client: s.client(), Log: slog.New(slog.DiscardHandler)}
		kids := append(kidsOf(body), "", "ES256", "x")
		if keys, err := middleware.NewRemoteKeys(t.Context(), testJWKS, cfg); err == nil {
			for _, kid := range kids {
				for _, alg := range algs {
					if key, err := keys.Key(ended(t), kid, alg); err == nil {
						if err := middleware.CheckKey(alg, key); err != nil {
							t.Errorf("kid %q: %v", kid, err)
						}
					}
				}
			}
		} else if strings.Contains(err.Error(), "panicked") {
			t.Error(err)
		}
		synctest.Test(t, func(t *testing.T) {
			s.says(200, good)
			keys := remoteKeys(t, s, middleware.RemoteKeysConfig{Refresh: time.Second})
			s.says(200, body)
			time.Sleep(time.Second + 1)
			s.says(200, good)
			time.Sleep(retry)
			if key, err := keys.Key(t.Context(), "ES256", "ES256"); err != nil || middleware.CheckKey("ES256", key) != nil || keys.Stats().Keys != 1 {
				t.Errorf("a good set does not recover: %v, %+v", err, keys.Stats())
			}
		})
	})
}

// retry is a time after which a failed fetch was tried again.
const retry = 11 * time.Second

// ended is a context in which nobody waits.
func ended(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func kidsOf(body string) []string {
	var set struct{ Keys []struct{ Kid string } }
	json.Unmarshal([]byte(body), &set)
	var kids []string
	for _, k := range set.Keys {
		kids = append(kids, k.Kid)
	}
	return kids
}
