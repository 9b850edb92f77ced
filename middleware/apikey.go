package middleware

import (
	"net/http"

	"github.com/authtier/authtier/middleware/internal/syntax"
)

const apiKeyHeader = "X-Api-Key"

// APIKeyConfig configures [APIKey]. The zero value is ready to use.
type APIKeyConfig struct {
	// Header is the header that holds the key. If empty, it is X-API-KEY.
	Header string

	// AllowOtherClient lets the key belong to another client than the request's other
	// credentials. Both must still be of the same issuer.
	AllowOtherClient bool

	// AllowAnonymous admits a request without an API key and proves no identity for
	// it. An identity that an outer wrapper has proven stays. A key that is present
	// is validated as usual. An inner [Scope] refuses an anonymous request with
	// AUTH-2, and [Usage] does not count it.
	AllowAnonymous bool
}

// APIKey admits a request only with a valid API key in its header: one value of
// printable ASCII. The identity is the client that owns the key. If the request also
// has a token, the key's scopes do not count. cfg may be nil.
//
// APIKey panics if v is nil or contains a nil Validator, if v has no validator for API
// keys ([ByScheme]), and if Header is not a header's name.
//
// Answers vary by the header and are private, unless the handler sets another
// Cache-Control. Shared caches protect answers to Authorization, but to no other
// header.
func APIKey(v Validator, cfg *APIKeyConfig) Wrapper {
	if cfg == nil {
		cfg = &APIKeyConfig{}
	}
	return wrapperOf(v, cfg)
}

// guard implements [Way].
func (cfg APIKeyConfig) guard(v Validator) (*guard, error) {
	header, err := headerName("Header", cfg.Header, apiKeyHeader)

	from := &location{vary: []string{shown(header)}, private: true}
	g := &guard{
		name:        "APIKey",
		header:      header,
		expected:    "expected printable ASCII",
		validator:   v,
		scheme:      SchemeAPIKey,
		otherClient: cfg.AllowOtherClient,
		from:        from,
		read: func(r *http.Request) (string, string, *location, error) {
			key, err := one(r.Header, header, syntax.MaxCredential)
			return "", key, from, err
		},
	}

	if cfg.AllowAnonymous {
		g.allowAnonymous()
	}
	// The guard is returned even with an error, because OneOf names it in the message.
	return g, err
}
