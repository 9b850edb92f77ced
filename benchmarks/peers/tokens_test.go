package peers

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/jwx/v3/jwk"

	"github.com/authtier/authtier/middleware"
)

var algs = []string{"HS256", "RS256", "ES256", "EdDSA"}

// A signer signs everybody's tokens with one key.
type signer struct {
	alg             string
	private, public any
}

// newSigner makes each key once: they are no part of what is measured.
var newSigner = func() func(alg string) *signer {
	all := sync.OnceValue(func() map[string]*signer {
		hs := make([]byte, 32)
		rand.Read(hs)
		rs, _ := rsa.GenerateKey(rand.Reader, 2048)
		es, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		edPublic, ed, _ := ed25519.GenerateKey(rand.Reader)
		return map[string]*signer{
			"HS256": {"HS256", hs, hs},
			"RS256": {"RS256", rs, &rs.PublicKey},
			"ES256": {"ES256", es, &es.PublicKey},
			"EdDSA": {"EdDSA", ed, edPublic},
		}
	})
	return func(alg string) *signer { return all()[alg] }
}()

// jwks is the key as a set (RFC 7517).
func (s *signer) jwks(tb testing.TB) []byte {
	tb.Helper()
	key, err := jwk.Import(s.public)
	must(tb, err)
	must(tb, key.Set(jwk.KeyIDKey, "k1"))
	must(tb, key.Set(jwk.AlgorithmKey, s.alg))
	set, err := json.Marshal(map[string]any{"keys": []jwk.Key{key}})
	must(tb, err)
	return set
}

// token returns an access token of RFC 9068. Changes replace claims.
func (s *signer) token(tb testing.TB, changes jwt.MapClaims) string {
	tb.Helper()
	now := time.Now().Add(-time.Minute)
	claims := jwt.MapClaims{
		"iss": issuerURL, "sub": "ada", "aud": audience, "client_id": "app", "username": "ada",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "jti": rand.Text(), "scope": "read files profile",
	}
	for claim, v := range changes {
		claims[claim] = v
	}
	t := jwt.NewWithClaims(jwt.GetSigningMethod(s.alg), claims)
	t.Header["typ"], t.Header["kid"] = "at+jwt", "k1"
	signed, err := t.SignedString(s.private)
	must(tb, err)
	return signed
}

// bad returns what everybody must refuse.
func (s *signer) bad(tb testing.TB) map[string]*http.Request {
	tb.Helper()
	token := s.token(tb, nil)
	past := time.Now().Add(-time.Hour).Unix()
	return map[string]*http.Request{
		"another signature": withToken(tampered(token)),
		"an expiry past":    withToken(s.token(tb, jwt.MapClaims{"exp": past, "iat": past - 60})),
		"another audience":  withToken(s.token(tb, jwt.MapClaims{"aud": "https://other.example"})),
		"another issuer":    withToken(s.token(tb, jwt.MapClaims{"iss": "https://other.example"})),
		"other scopes":      withToken(s.token(tb, jwt.MapClaims{"scope": "files profile"})),
		"no token":          request(),
	}
}

// tampered changes a character in the middle of the signature.
func tampered(token string) string {
	b := []byte(token)
	i := len(b) - 20
	b[i] = 'A' + (b[i]-'A'+1)%26
	return string(b)
}

// validator is ours, without a cache.
func (s *signer) validator(tb testing.TB) middleware.Validator {
	tb.Helper()
	keys, err := middleware.StaticKeys(middleware.Key{ID: "k1", Alg: s.alg, Public: s.public})
	must(tb, err)
	v, err := middleware.JWT(keys, middleware.JWTConfig{Issuer: issuerURL, Audience: []string{audience}})
	must(tb, err)
	return v
}
