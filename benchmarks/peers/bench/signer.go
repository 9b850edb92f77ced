package bench

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Algs are the signature algorithms that are compared.
var Algs = []string{"HS256", "RS256", "ES256", "EdDSA"}

// A Signer signs the tokens of all parties with one key.
type Signer struct {
	Alg             string
	Private, Public any

	fresh []string // what Fresh has returned
}

// makeKeys make one key of each kind, when it is first asked for.
var makeKeys = map[string]func() *Signer{
	"HS256": sync.OnceValue(func() *Signer {
		key := make([]byte, 32)
		rand.Read(key)
		return &Signer{Alg: "HS256", Private: key, Public: key}
	}),
	"RS256": sync.OnceValue(func() *Signer {
		key, _ := rsa.GenerateKey(rand.Reader, 2048)
		return &Signer{Alg: "RS256", Private: key, Public: &key.PublicKey}
	}),
	"ES256": sync.OnceValue(func() *Signer {
		key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		return &Signer{Alg: "ES256", Private: key, Public: &key.PublicKey}
	}),
	"EdDSA": sync.OnceValue(func() *Signer {
		public, private, _ := ed25519.GenerateKey(rand.Reader)
		return &Signer{Alg: "EdDSA", Private: private, Public: public}
	}),
}

// NewSigner returns the signer with this process's key for alg.
func NewSigner(alg string) *Signer { return makeKeys[alg]() }

// Token returns an access token of RFC 9068. Changes replace claims.
func (s *Signer) Token(tb testing.TB, changes jwt.MapClaims) string {
	tb.Helper()
	now := time.Now().Add(-time.Minute)
	claims := jwt.MapClaims{
		"iss": IssuerURL, "sub": "ada", "aud": Audience, "client_id": ClientID, "username": "ada",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "jti": rand.Text(), "scope": "read files profile",
	}
	maps.Copy(claims, changes)
	t := jwt.NewWithClaims(jwt.GetSigningMethod(s.Alg), claims)
	t.Header["typ"], t.Header["kid"] = "at+jwt", keyID
	signed, err := t.SignedString(s.Private)
	Must(tb, err)
	return signed
}

// Bad returns tokens that every party must refuse.
func (s *Signer) Bad(tb testing.TB) map[string]*http.Request {
	tb.Helper()
	past := time.Now().Add(-time.Hour).Unix()
	return map[string]*http.Request{
		"another signature": WithToken(Tampered(s.Token(tb, nil))),
		"an expiry past":    WithToken(s.Token(tb, jwt.MapClaims{"exp": past, "iat": past - 60})),
		"another audience":  WithToken(s.Token(tb, jwt.MapClaims{"aud": "https://other.example"})),
		"another issuer":    WithToken(s.Token(tb, jwt.MapClaims{"iss": "https://other.example"})),
		"other scopes":      WithToken(s.Token(tb, jwt.MapClaims{"scope": "files profile"})),
		"no token":          Request(),
	}
}

// Fresh returns values of the Authorization header with many tokens, no two alike. It
// makes them once, because signing takes longer than a benchmark.
func (s *Signer) Fresh(tb testing.TB) []string {
	tb.Helper()
	if s.fresh != nil {
		return s.fresh
	}

	n := many
	if s.Alg == "RS256" { // takes a millisecond to sign
		n = 1024
	}
	for range n {
		s.fresh = append(s.fresh, "Bearer "+s.Token(tb, nil))
	}
	return s.fresh
}

// Tampered changes a character in the middle of the signature.
func Tampered(token string) string {
	b := []byte(token)
	i := len(b) - 20
	b[i] = 'A' + (b[i]-'A'+1)%26
	return string(b)
}
