package middleware

import (
	"net/http"

	"github.com/authtier/authtier/errorsx"
)

const apiKeyHeader = "X-Api-Key"

// APIKeyConfig configures [APIKey]. The zero value is ready to use.
type APIKeyConfig struct {
	// Header is read instead of X-API-KEY.
	Header string

	// AllowOtherClient lets the key belong to another client than the other
	// credentials of the request. Their issuer must be the same all the same.
	AllowOtherClient bool

	// AllowAnonymous lets a request without an API key through, and proves no identity
	// for it; an identity from a wrapper outside stays. One that is present is
	// judged as usual. [Scope] inside refuses such a request with AUTH-2, and
	// [Usage] does not count it.
	AllowAnonymous bool
}

// APIKey lets a request through only with a valid API key in its header, one
// value of printable ASCII. Its identity is the client that the key belongs to;
// beside a token, the key's scopes do not count. It panics if v is nil.
//
// Answers vary by the header and are private, unless the handler says
// otherwise: shared caches know to protect only Authorization.
func APIKey(v Validator, cfg *APIKeyConfig) Wrapper {
	if cfg == nil {
		cfg = &APIKeyConfig{}
	}
	return cfg.guard(v).wrapper()
}

// guard implements [Way].
func (cfg APIKeyConfig) guard(v Validator) *guard {
	if isNil(v) {
		panic("middleware: APIKey: nil Validator")
	}
	header := headerName("APIKey", cfg.Header, apiKeyHeader)
	from := &source{vary: []string{shown(header)}, private: true}
	g := &guard{
		name:        "APIKey",
		header:      header,
		expected:    "expected printable ASCII",
		validator:   v,
		scheme:      errorsx.SchemeAPIKey,
		otherClient: cfg.AllowOtherClient,
		from:        from,
		read: func(r *http.Request) (string, string, *source, error) {
			key, err := one(r.Header, header)
			return "", key, from, err
		},
	}
	if cfg.AllowAnonymous {
		g.allowAnonymous()
	}
	return g
}
