package middleware

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/authtier/authtier/errorsx"
)

// Methods is the set of methods that proved an identity.
type Methods uint8

// The methods. An identity merged from two credentials has the methods of both.
const (
	ByAPIKey Methods = 1 << iota
	ByBasic
	ByToken // an access token or a session
)

// methodOf returns the method by which a credential of that scheme proves an
// identity.
func methodOf(s Scheme) Methods {
	switch s {
	case SchemeAPIKey:
		return ByAPIKey
	case SchemeBasic:
		return ByBasic
	}
	return ByToken
}

// scheme returns the scheme of the credential whose scopes count.
func (m Methods) scheme() Scheme {
	switch {
	case m.Has(ByToken):
		return SchemeBearer
	case m.Has(ByBasic):
		return SchemeBasic
	case m.Has(ByAPIKey):
		return SchemeAPIKey
	}
	return SchemeBearer
}

// Has reports whether m contains all methods of n. It is false if n is empty.
func (m Methods) Has(n Methods) bool { return n != 0 && m&n == n }

// An Identity describes the client and the user that make a request. Identities are
// shared by requests and must not be changed. Handlers get a copy.
type Identity struct {
	// Issuer is the URL of the issuer that assigned the names Client and User. Two
	// issuers may use the same name for different clients or users.
	Issuer string

	Client string // client ID, or empty for a session
	User   string // login, or empty if no user is known

	// Scopes are the scopes of the token. The scopes of an API key or of Basic
	// credentials count only if the request has no token.
	Scopes Scopes

	// Methods says how the identity was proven. The wrapper that reads the credential
	// sets it and ignores the validator's value.
	Methods Methods

	// ClientVersion is the version of the client in the issuer's store at the time
	// when the credential was judged, or 0. If the version has grown since, a token
	// minted for this identity later is void.
	ClientVersion uint64

	// A [Revocation] names an identity by one of these IDs.
	TokenID      string // the token's jti
	Family       string // ID of a group of tokens that are revoked together
	APIKeyID     string // the API key's ID
	SigningKeyID string // kid of the key that signed the token

	// Audience is the list of the token's audiences.
	Audience Audience

	// Expires is the time at which the proof ends. If zero, the proof does not
	// expire.
	Expires time.Time

	details *Details // or nil
	claims  string   // a JSON object, or a JWT's payload in base64url
	memo    *memo    // results that are computed once for an identity in a Cache
}

// Claims returns the token's payload as the JSON object that was signed, or "".
func (id Identity) Claims() string {
	if id.claims == "" || id.claims[0] == '{' {
		return id.claims
	}
	// The validator has decoded it before, so it cannot fail.
	b, _ := base64.RawURLEncoding.DecodeString(id.claims)
	return string(b)
}

// WithClaims returns a copy of id with these claims. They must be a JSON object, either
// as it is or in base64url without padding, the form of a JWT's payload. WithClaims is
// for packages that implement a [Validator]; most programs do not need it.
func (id Identity) WithClaims(claims string) Identity {
	id.claims = claims
	return id
}

// DecodeClaims decodes the token's claims into v, a pointer to a map or a struct.
// Names of members are matched exactly. It returns an error if the identity has no
// claims, or if a member does not fit; the error names that member. The error is not
// a refusal: a validator that returns it as it is fails the request with AUTH-8.
func (id Identity) DecodeClaims(v any) error {
	claims := id.Claims()
	if claims == "" {
		return errors.New("middleware: the identity has no claims")
	}
	return json.Unmarshal([]byte(claims), v)
}

// provenBy returns id with the method m. It copies id if the method differs, because
// an identity must not be changed.
func (id *Identity) provenBy(m Methods) *Identity {
	if id.Methods == m {
		return id
	}
	proven := *id
	proven.Methods = m
	return &proven
}

// live reports whether id has not expired at now.
func (id *Identity) live(now time.Time) bool { return id.Expires.IsZero() || now.Before(id.Expires) }

// unexpired returns id, or a refusal if id has expired at now.
func (id *Identity) unexpired(now time.Time) (*Identity, error) {
	if id.live(now) {
		return id, nil
	}
	return nil, &errorsx.Error{
		Code: errorsx.TokenExpired, Client: id.Client,
		Err: fmt.Errorf("the identity expired at %v", id.Expires.UTC()),
	}
}

// A memo holds results that wrappers have computed for an identity. It belongs to one
// identity, because a copy of that identity may have been changed.
type memo struct {
	of      *Identity
	merged  atomic.Pointer[mergedWith]
	counted atomic.Pointer[counted]
}

// remembered returns the memo of id, or nil if id is a copy or not from a Cache.
func (id *Identity) remembered() *memo {
	if id.memo == nil || id.memo.of != id {
		return nil
	}
	return id.memo
}

// includes reports whether the credential that proved b is one of those that proved
// a.
func (a *Identity) includes(b *Identity) bool {
	switch b.Methods {
	case ByAPIKey:
		if b.APIKeyID != "" {
			return a.APIKeyID == b.APIKeyID
		}
	case ByToken:
		if b.TokenID != "" {
			return a.TokenID == b.TokenID && a.User == b.User
		}
	default:
		return b.User == "" || a.User == b.User
	}
	// Without an ID, two credentials count as the same only if they say the same.
	return a.TokenID == "" && a.APIKeyID == "" && a.User == b.User && a.Scopes == b.Scopes && a.claims == b.claims
}

// names reports whether id names a client or a user. id may be nil.
func (id *Identity) names() bool { return id != nil && (id.Client != "" || id.User != "") }

type mergedWith struct{ other, result *Identity }

// IdentityFromContext returns the identity of the request that ctx belongs to. It
// returns false if no wrapper has authenticated the request. A handler that may run
// without a wrapper around it must check that.
func IdentityFromContext(ctx context.Context) (Identity, bool) {
	if s := stateOf(ctx); s != nil {
		if id := s.identity.Load(); id != nil {
			return *id, true
		}
	}
	return Identity{}, false
}

// WithIdentity returns a context whose identity is id, as if a wrapper had proven it.
// It is for tests of handlers, and for wrappers of your own that authenticate without
// a [Validator]. If id has no Methods, it counts as proven by a token, so that an
// inner APIKey only adds to it.
//
// id replaces an identity that was proven before, without a comparison. WithIdentity
// does not check the expiry, the networks or the confirmation of id. To use an
// identity of a Validator of this suite, use a wrapper or [Check], which check them.
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
	if o := s.observation(); o != nil {
		o.proved(&id)
	}
	return s
}

// merge returns the identity that a and b prove together. a may be nil. They must be
// of the same issuer and, unless otherClient is set, of the same client. Two
// credentials of the same kind must be the same credential.
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
	// A merge of two clients is not remembered: it is allowed only to wrappers with
	// AllowOtherClient.
	if ok && result != a && result != b && a.Client == b.Client {
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

	// If one of them is a token, its scopes count, even if there are none. The other
	// credential adds only names that are missing, and may shorten the lifetime.
	main, other := b, a
	if a.Methods.Has(ByToken) {
		main, other = a, b
	}

	m := *main
	m.memo = nil
	m.Methods |= other.Methods

	if m.APIKeyID == "" {
		m.APIKeyID = other.APIKeyID
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
