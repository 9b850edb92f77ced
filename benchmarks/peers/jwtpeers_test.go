package peers

import (
	"context"
	"crypto"
	"errors"
	"net/http"
	"testing"

	"github.com/MicahParks/keyfunc/v3"
	jwtmiddleware "github.com/auth0/go-jwt-middleware/v2"
	"github.com/auth0/go-jwt-middleware/v2/validator"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-chi/jwtauth/v5"
	"github.com/golang-jwt/jwt/v5"
	jwxv2 "github.com/lestrrat-go/jwx/v2/jwt"
	"github.com/lestrrat-go/jwx/v3/jwk"
	jwx "github.com/lestrrat-go/jwx/v3/jwt"
)

// jwtPeers returns those who verify tokens of that algorithm.
func jwtPeers(tb testing.TB, s *signer) []party {
	tb.Helper()
	peers := []party{
		{"keyfunc", keyfuncPeer(tb, s)},
		{"go-jwt-middleware", auth0Peer(tb, s)},
		{"jwtauth", jwtauthPeer(s)},
		{"jwx", jwxPeer(tb, s)},
	}
	if s.alg != "HS256" { // go-oidc takes public keys alone
		peers = append(peers, party{"go-oidc", oidcPeer(s)})
	}
	return peers
}

type accessClaims struct {
	jwt.RegisteredClaims
	Client string `json:"client_id"`
	User   string `json:"username"`
	Scope  string `json:"scope"`
}

func keyfuncPeer(tb testing.TB, s *signer) http.Handler {
	keys, err := keyfunc.NewJWKSetJSON(s.jwks(tb))
	must(tb, err)
	parser := jwt.NewParser(jwt.WithValidMethods([]string{s.alg}), jwt.WithIssuer(issuerURL),
		jwt.WithAudience(audience), jwt.WithExpirationRequired())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := bearer(r)
		if !ok {
			refuse(w)
			return
		}
		c := &accessClaims{}
		if _, err := parser.ParseWithClaims(token, c, keys.Keyfunc); err != nil || !hasScope(c.Scope) {
			refuse(w)
			return
		}
		admit(w, r, c)
	})
}

// auth0Claims are the claims that go-jwt-middleware leaves to its caller.
type auth0Claims struct {
	Client string `json:"client_id"`
	User   string `json:"username"`
	Scope  string `json:"scope"`
}

func (c *auth0Claims) Validate(context.Context) error {
	if !hasScope(c.Scope) {
		return errors.New("scope")
	}
	return nil
}

func auth0Peer(tb testing.TB, s *signer) http.Handler {
	key := func(context.Context) (any, error) { return s.public, nil }
	v, err := validator.New(key, validator.SignatureAlgorithm(s.alg), issuerURL, []string{audience},
		validator.WithCustomClaims(func() validator.CustomClaims { return &auth0Claims{} }))
	must(tb, err)
	return jwtmiddleware.New(v.ValidateToken).CheckJWT(next)
}

func jwtauthPeer(s *signer) http.Handler {
	auth := jwtauth.New(s.alg, nil, s.public, jwxv2.WithIssuer(issuerURL), jwxv2.WithAudience(audience),
		jwxv2.WithRequiredClaim(jwxv2.ExpirationKey))
	scoped := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := r.Context().Value(jwtauth.TokenCtxKey).(jwxv2.Token)
		list, _ := token.Get("scope")
		if s, _ := list.(string); !hasScope(s) {
			refuse(w)
			return
		}
		next.ServeHTTP(w, r)
	})
	return jwtauth.Verifier(auth)(jwtauth.Authenticator(auth)(scoped))
}

func jwxPeer(tb testing.TB, s *signer) http.Handler {
	set, err := jwk.Parse(s.jwks(tb))
	must(tb, err)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, ok := bearer(r)
		if !ok {
			refuse(w)
			return
		}
		token, err := jwx.ParseString(raw, jwx.WithKeySet(set), jwx.WithIssuer(issuerURL),
			jwx.WithAudience(audience), jwx.WithRequiredClaim(jwx.ExpirationKey))
		var list string
		if err != nil || token.Get("scope", &list) != nil || !hasScope(list) {
			refuse(w)
			return
		}
		admit(w, r, token)
	})
}

func oidcPeer(s *signer) http.Handler {
	keys := &oidc.StaticKeySet{PublicKeys: []crypto.PublicKey{s.public}}
	v := oidc.NewVerifier(issuerURL, keys, &oidc.Config{ClientID: audience, SupportedSigningAlgs: []string{s.alg}})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, ok := bearer(r)
		if !ok {
			refuse(w)
			return
		}
		token, err := v.Verify(r.Context(), raw)
		c := &auth0Claims{}
		if err != nil || token.Claims(c) != nil || !hasScope(c.Scope) {
			refuse(w)
			return
		}
		admit(w, r, c)
	})
}
