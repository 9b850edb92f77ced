package serve

import (
	"context"
	"encoding/base64"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
)

// cacheSize is the number of tokens that are remembered.
const cacheSize = 100_000

// validator returns the validator of API keys of this server, and of tokens of this
// server and of the trusted issuers. trusted may be nil.
func validator(own *issuer.Issuer, trusted *idp.Verifier) (middleware.Validator, error) {
	if trusted == nil {
		return own.Validator(), nil
	}
	cache, err := middleware.NewCache(tokens{own, trusted}, cacheSize, nil)
	if err != nil {
		return nil, err
	}
	return middleware.ByScheme{middleware.SchemeAPIKey: own.Validator(), middleware.SchemeBearer: cache}, nil
}

// tokens validates each token by the issuer that it names. The name alone proves nothing:
// the issuer that it selects checks the whole token.
type tokens struct {
	own     *issuer.Issuer
	trusted *idp.Verifier
}

type offlineValidator interface {
	middleware.Validator
	middleware.OfflineValidator
}

// of returns the validator for a token. An opaque token can only be of this server.
func (t tokens) of(c middleware.Credential) offlineValidator {
	if iss := unverifiedIssuer(c.Secret); iss == "" || iss == t.own.URL() {
		return t.own
	}
	return t.trusted
}

// Validate implements [middleware.Validator].
func (t tokens) Validate(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
	return t.of(c).Validate(ctx, c)
}

// Offline implements [middleware.OfflineValidator].
func (t tokens) Offline(c middleware.Credential) bool { return t.of(c).Offline(c) }

// Unwrap tells a cache whose revocations it has to learn of.
func (t tokens) Unwrap() []middleware.Validator { return []middleware.Validator{t.own, t.trusted} }

// unverifiedIssuer returns the iss of a signed token, or "" if it has none that can be
// read.
func unverifiedIssuer(token string) string {
	_, rest, _ := strings.Cut(token, ".")
	payload, _, signed := strings.Cut(rest, ".")
	if !signed {
		return ""
	}
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return ""
	}

	// The other claims, too, must be strict JSON with unrepeated names.
	var claims struct {
		Issuer string `json:"iss"`
	}
	if json.Unmarshal(text, &claims) != nil {
		return ""
	}
	return claims.Issuer
}
