package middleware

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/authtier/authtier/middleware/internal/syntax"
)

const apiKeyHeader = "X-Api-Key"

// APIKeyConfig configures [APIKey]. The zero value is ready to use.
type APIKeyConfig struct {
	// Header is the header that holds the key. If empty, it is X-API-KEY, or
	// Authorization if Scheme is set.
	Header string

	// Scheme, if not empty, is the scheme before the key in the header, such as Bearer or
	// ApiKey, in any letter case. The key must then hold no blank. Challenges name the
	// scheme.
	Scheme string

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
// keys ([ByScheme]), if Header is not a header's name, and if Scheme is not a scheme.
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
	if cfg.Scheme != "" {
		header, err = headerName("Header", cfg.Header, "Authorization")
	}

	from := headerLocation(header)
	g := &guard{
		name:        "APIKey",
		header:      header,
		expected:    "expected printable ASCII",
		validator:   v,
		scheme:      SchemeAPIKey,
		onWire:      cmp.Or(cfg.Scheme, string(SchemeAPIKey)),
		bare:        cfg.Scheme == "",
		otherClient: cfg.AllowOtherClient,
		from:        from,
		read: func(r *http.Request) (string, string, *location, error) {
			key, err := one(r.Header, header, syntax.MaxCredential)
			if err == nil && cfg.Scheme != "" {
				key, err = keyAfterScheme(header, key, cfg.Scheme)
			}
			return "", key, from, err
		},
	}

	if cfg.Scheme != "" {
		var schemeErr error
		g.keyScheme, schemeErr = numberOf(cfg.Scheme)
		err = errors.Join(err, schemeErr)
	}
	if cfg.AllowAnonymous {
		g.allowAnonymous()
	}
	// The guard is returned even with an error, because OneOf names it in the message.
	return g, err
}

// keyAfterScheme returns the key after a scheme: printable ASCII without blanks.
func keyAfterScheme(header, value, scheme string) (string, error) {
	key, err := afterScheme(header, value, scheme)
	if err == nil && (key == "" || strings.Contains(key, " ")) {
		return "", malformed(header, "expected one key without blanks after the scheme "+scheme)
	}
	return key, err
}

// keySchemes are the schemes with which wrappers read API keys. The state of a request
// holds the number of one, which takes less room than its name.
var keySchemes struct {
	mu    sync.Mutex
	names []string
}

// numberOf returns the number of a scheme, which is its place in keySchemes plus one. It
// returns an error if the scheme is not a token (RFC 9110 section 11.1).
func numberOf(scheme string) (uint8, error) {
	if !validHeaderName(scheme) || isScheme(scheme, string(SchemeBasic)) {
		return 0, fmt.Errorf("Scheme: %q is not a scheme for API keys", scheme)
	}
	keySchemes.mu.Lock()
	defer keySchemes.mu.Unlock()
	if n := slices.Index(keySchemes.names, scheme); n >= 0 {
		return uint8(n + 1), nil
	}
	if len(keySchemes.names) == math.MaxUint8 {
		return 0, errors.New("Scheme: too many different schemes")
	}
	keySchemes.names = append(keySchemes.names, scheme)
	return uint8(len(keySchemes.names)), nil
}

// schemeOf returns the scheme of the credential whose scopes count.
func (s *state) schemeOf(id *Identity) string {
	scheme := id.Methods.scheme()
	if scheme != SchemeAPIKey || s.keyScheme == 0 {
		return string(scheme)
	}
	keySchemes.mu.Lock()
	defer keySchemes.mu.Unlock()
	return keySchemes.names[s.keyScheme-1]
}
