package middleware

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/authtier/authtier/errorsx"
)

// Scopes is a list of scopes as it is sent: separated by single spaces, case
// sensitive, without order (RFC 6749 section 3.3).
type Scopes string

// Has reports whether scope is one of s.
func (s Scopes) Has(scope string) bool {
	return scope != "" && strings.IndexByte(scope, ' ') < 0 && s.has(scope)
}

// has is [Scopes.Has] for what is not empty and holds no space.
func (s Scopes) has(scope string) bool {
	for rest := string(s); len(rest) >= len(scope); {
		if n := len(scope); rest[:n] == scope && (len(rest) == n || rest[n] == ' ') {
			return true
		}
		next := strings.IndexByte(rest, ' ')
		if next < 0 {
			return false
		}
		rest = rest[next+1:]
	}
	return false
}

// List returns the scopes one by one, none for an empty s.
func (s Scopes) List() []string { return strings.Fields(string(s)) }

// Valid reports whether s is a list of scope tokens as RFC 6749 section 3.3
// writes it. The empty list is valid.
func (s Scopes) Valid() bool {
	if s == "" {
		return true
	}
	for token := range strings.SplitSeq(string(s), " ") {
		if !ValidScope(token) {
			return false
		}
	}
	return true
}

// ValidScope reports whether s is one scope token (RFC 6749 section 3.3).
func ValidScope(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return s != ""
}

// Methods says how an identity was proven.
type Methods uint8

// The methods. An identity merged from two credentials has those of both.
const (
	ByAPIKey Methods = 1 << iota
	ByBasic
	ByToken // also a session's
)

// methodOf returns how a credential of that scheme proves an identity.
func methodOf(s errorsx.Scheme) Methods {
	switch s {
	case errorsx.SchemeAPIKey:
		return ByAPIKey
	case errorsx.SchemeBasic:
		return ByBasic
	}
	return ByToken
}

// scheme returns the scheme of the credential whose scopes count.
func (m Methods) scheme() errorsx.Scheme {
	switch {
	case m.Has(ByToken):
		return errorsx.SchemeBearer
	case m.Has(ByBasic):
		return errorsx.SchemeBasic
	case m.Has(ByAPIKey):
		return errorsx.SchemeAPIKey
	}
	return errorsx.SchemeBearer
}

// Has reports whether all methods of n are in m. It is false for no method.
func (m Methods) Has(n Methods) bool { return n != 0 && m&n == n }

// An Identity is who makes a request. Its fields are immutable, so that it can
// be shared by requests; handlers get a copy.
type Identity struct {
	// Issuer is the URL of the issuer whose names Client and User are. With more
	// than one issuer, a name without its issuer names nobody.
	Issuer string

	Client string // client ID, or empty for a session
	User   string // login, or empty if no user is known

	// Scopes are the token's. Those of an API key or of a client's secret count
	// only where there is no token.
	Scopes Scopes

	// Methods says how the identity was proven. The wrapper that reads the
	// credential sets it, whatever the validator says.
	Methods Methods

	// ClientVersion is the client's version in the issuer's store when the
	// credential was judged, or 0: what is made later in the client's name is
	// void if the version has grown meanwhile.
	ClientVersion uint64

	// What a revocation can name.
	TokenID  string // the token's jti
	Family   string // of tokens that are revoked together
	KeyID    string // the API key's ID
	SignedBy string // kid of the key that signed the token

	// Audience is the token's audiences, separated by spaces.
	Audience Scopes

	// Expires is when the proof ends. If zero, it does not.
	Expires time.Time

	extras *extras // what few identities have; nil: nothing
	claims string  // a JSON object, or a JWT's payload as it is encoded
	memo   *memo   // what is worked out once for an identity that a Cache holds
}

// Claims returns the token's payload, a JSON object as it was signed, or "".
func (id Identity) Claims() string {
	if id.claims == "" || id.claims[0] == '{' {
		return id.claims
	}
	b, _ := base64.RawURLEncoding.DecodeString(id.claims) // it was decoded before
	return string(b)
}

// WithClaims returns id with these claims, a JSON object. It is for validators.
func (id Identity) WithClaims(object string) Identity {
	id.claims = object
	return id
}

// DecodeClaims decodes the token's claims into v, which is a pointer to a map
// or a struct. Members are matched exactly, and an error says which member does
// not fit. An identity without claims is an error.
func (id Identity) DecodeClaims(v any) error {
	claims := id.Claims()
	if claims == "" {
		return errors.New("middleware: the identity has no claims")
	}
	return json.Unmarshal([]byte(claims), v)
}

// provenBy returns id with this method. An identity is not changed, so that
// another method takes a copy.
func (id *Identity) provenBy(m Methods) *Identity {
	if id.Methods == m {
		return id
	}
	proven := *id
	proven.Methods = m
	return &proven
}

// live reports whether id's proof has not ended at now.
func (id *Identity) live(now time.Time) bool { return id.Expires.IsZero() || now.Before(id.Expires) }

// unexpired returns id, or a refusal if its proof has ended at now.
func (id *Identity) unexpired(now time.Time) (*Identity, error) {
	if id.live(now) {
		return id, nil
	}
	return nil, &errorsx.Error{
		Code: errorsx.TokenExpired, Client: id.Client,
		Err: fmt.Errorf("the identity expired at %v", id.Expires.UTC()),
	}
}

// A memo is what wrappers worked out for an identity and need not again. A copy
// of the identity, which may have been changed, has no part in it.
type memo struct {
	of      *Identity
	merged  atomic.Pointer[mergedWith]
	counted atomic.Pointer[counted]
}

// remembered returns id's own memo, or nil.
func (id *Identity) remembered() *memo {
	if id.memo == nil || id.memo.of != id {
		return nil
	}
	return id.memo
}

// includes reports whether b is proven by a credential that a was proven by too.
func (a *Identity) includes(b *Identity) bool {
	switch b.Methods {
	case ByAPIKey:
		if b.KeyID != "" {
			return a.KeyID == b.KeyID
		}
	case ByToken:
		if b.TokenID != "" {
			return a.TokenID == b.TokenID && a.User == b.User
		}
	default:
		return b.User == "" || a.User == b.User
	}
	// Without an ID, only what says the same is taken for the same.
	return a.TokenID == "" && a.KeyID == "" && a.User == b.User && a.Scopes == b.Scopes && a.claims == b.claims
}

// names reports whether id names a client or a user. id may be nil.
func (id *Identity) names() bool { return id != nil && (id.Client != "" || id.User != "") }

type mergedWith struct{ other, result *Identity }

// IdentityFromContext returns the identity of the request that ctx belongs to.
// It reports false if no wrapper has authenticated the request; a handler that may
// stand outside of a wrapper must look at that.
func IdentityFromContext(ctx context.Context) (Identity, bool) {
	if s := stateOf(ctx); s != nil {
		if id := s.identity.Load(); id != nil {
			return *id, true
		}
	}
	return Identity{}, false
}

// WithIdentity returns a context in which id is the identity, as behind a
// wrapper. It is for tests of handlers, and for wrappers of your own that
// authenticate in another way than by a [Validator]. Without Methods, the identity
// counts as proven by a token, so that an API key only adds to it.
//
// It takes the place of an identity that was proven before, without a comparison,
// and checks neither expiry, networks nor confirmation of id. To use an identity of
// a Validator of this suite, use a wrapper or [Check], which do.
func WithIdentity(ctx context.Context, id Identity) context.Context {
	s := &state{Context: ctx, fixed: true}
	if outer := stateOf(ctx); outer != nil {
		s.inherit(outer)
	}
	if id.Methods == 0 {
		id.Methods = ByToken
	}
	s.identity.Store(&id)
	s.marks |= given
	return s
}

// merge returns the identity that a and b prove together; a may be nil. They
// must be of one issuer and, unless otherClient, of one client. Two credentials
// of the same kind must be one and the same.
func merge(a, b *Identity, otherClient bool) (*Identity, bool) {
	if a == nil || a == b {
		return b, true
	}
	memory := b.remembered()
	if memory == nil {
		return mergeAnew(a, b, otherClient)
	}
	if m := memory.merged.Load(); m != nil && m.other == a {
		return m.result, true
	}
	result, ok := mergeAnew(a, b, otherClient)
	if ok && result != a && result != b && a.Client == b.Client { // what AllowOtherClient allowed is not for all
		result.memo = &memo{of: result}
		memory.merged.Store(&mergedWith{a, result})
	}
	return result, ok
}

func mergeAnew(a, b *Identity, otherClient bool) (*Identity, bool) {
	if a.Issuer != b.Issuer || (a.Client != b.Client && !otherClient) {
		return nil, false
	}
	if a.Methods.Has(b.Methods) {
		return a, a.includes(b)
	}

	// The token speaks for the request; whose key it is only adds to it.
	main, other := b, a
	if a.Methods.Has(ByToken) {
		main, other = a, b
	}
	m := *main
	m.memo = nil
	m.Methods |= other.Methods
	if m.KeyID == "" {
		m.KeyID = other.KeyID
	}
	if m.Client == "" {
		m.Client = other.Client
	}
	if m.User == "" {
		m.User = other.User
	}
	if !other.Expires.IsZero() && (m.Expires.IsZero() || other.Expires.Before(m.Expires)) {
		m.Expires = other.Expires
	}
	return &m, true
}
