package middleware

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/authtier/authtier/errorsx"
)

// A guard is the common part of APIKey, Basic and Bearer. It validates the
// credential, runs the wrapper's own checks, merges identities and publishes the
// result.
type guard struct {
	name        string
	header      string
	expected    string // text about the header's value for AUTH-3, unless the value is decoded
	validator   Validator
	cache       *Cache // the validator, if it is a Cache
	scheme      Scheme
	onWire      string // the scheme in the header and in challenges
	bare        bool   // the credential is the whole value of the header, without a scheme
	otherClient bool

	// cookie is the name of the cookie that may hold the credential, or "".
	cookie string

	// keyScheme is the number of onWire for an API key, see numberOf.
	keyScheme uint8

	// from is the location of a credential in the header.
	from *location

	// nobody is the counter of a request that is admitted without a credential.
	nobody *counted

	// absent refuses a request without the credential. others are the further schemes
	// of its challenges, if there are alternatives.
	absent error
	others []string

	// anonymous is not nil if requests without a credential are admitted. Their
	// answers vary by it.
	anonymous *location

	// read finds the credential in the request. The characters of a credential that
	// is not decoded are checked later, in identify.
	read func(r *http.Request) (username, secret string, from *location, err error)

	// check runs the route's own checks of the identity. It may be nil.
	check func(id *Identity) error

	// safe checks the scopes of a token from the query, after its identity is merged.
	// It is nil unless read looks into the query.
	safe func(id *Identity) error

	// confirm is [BearerConfig.Confirm], and confirmKey is [BearerConfig.ConfirmKey].
	confirm, confirmKey func(r *http.Request, id Identity) error
}

// wrapperOf returns the wrapper that authenticates in one way. It panics if v or way
// has a fault.
func wrapperOf(v Validator, way Way) Wrapper {
	g, err := way.guard(v)
	mustWire(g.name, checkValidator(v, g.scheme), err)
	g.prepare()
	return g.wrap
}

// prepare sets the fields that do not depend on the way. Only if the validator itself
// is a cache may hits skip it: the code of a decorator must run on each request.
func (g *guard) prepare() {
	g.cache, _ = g.validator.(*Cache)
	g.absent = missing(g.header)
	if g.cookie != "" {
		g.absent = missingCookie(g.header, g.cookie)
	}
	g.nobody = &counted{openedBy: g, writer: &errorsx.Writer{}, add: func(int64) error { return nil }}
}

// allowAnonymous admits requests without a credential. Every answer then varies by
// the headers that are read, including Authorization.
func (g *guard) allowAnonymous() {
	g.from.vary = appendNew([]string{shown(g.header)}, g.from.vary...)
	g.anonymous = &location{vary: g.from.vary}
}

func (g *guard) wrap(next http.Handler) http.Handler {
	notNil(g.name, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, r := join(r)
		from, err := g.authenticate(s, r)
		if from != nil {
			from.protect(w.Header())
		}
		if err != nil {
			(*errorsx.Writer)(nil).Refuse(w, r, g.onWire, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// authenticate publishes the request's identity after the last check. The location is
// nil if no credential was proven and the answer is the same for everybody.
func (g *guard) authenticate(s *state, r *http.Request) (*location, error) {
	username, secret, from, err := g.read(r)
	switch {
	case err == nil:
	case g.anonymous != nil && errors.Is(err, errorsx.CredentialsMissing):
		g.admitAnonymous(s)
		return g.anonymous, nil
	default:
		return g.anonymous, err
	}

	id, err := g.identify(s, r, username, secret, from.query)
	if err != nil {
		return g.anonymous, err
	}
	if id.details != nil && id.details.KeyBinding {
		if err := g.keyConfirmed(r, id); err != nil {
			return from, err
		}
	}
	if g.check != nil {
		if err := g.check(id); err != nil {
			return from, err
		}
	}
	if id.details != nil {
		if err := id.usableFrom(r); err != nil {
			// The answer must be the same as for an unknown credential.
			return g.anonymous, err
		}
	}

	outer := s.identity.Load()
	merged, ok := merge(outer, id, g.otherClient)
	if !ok {
		return from, &errorsx.Error{
			Code: errorsx.CredentialsIncorrect, Client: id.Client,
			Message: "The credentials do not belong to the same client",
		}
	}
	if from.query {
		if err := g.safe(id); err != nil {
			return from, err
		}
	}
	if err := g.confirmed(r, id); err != nil {
		return from, err
	}

	if s.has(judged) || outer != nil && outer.Issuer == "" {
		if err := s.mayBecome(outer, merged, id); err != nil {
			return from, err
		}
	}

	s.identity.Store(merged)
	if g.scheme == SchemeAPIKey {
		s.keyScheme = g.keyScheme
	}
	if o := s.observation(); o != nil {
		o.proved(merged)
	}
	return from, nil
}

// mayBecome returns a fault if merging id into outer must not give merged. outer may
// be nil.
func (s *state) mayBecome(outer, merged, id *Identity) error {
	if outer != nil && outer != id && outer.Issuer == "" {
		return errorsx.Fault(errors.New("middleware: two credentials without an Issuer cannot be merged: nothing says that their clients are the same"))
	}
	if !s.has(judged) {
		return nil
	}
	if outer == nil || outer.Client != merged.Client || outer.User != merged.User || outer.Scopes != merged.Scopes {
		return errorsx.Fault(errors.New("middleware: a wrapper authenticates inside of a Scope or Usage that has judged the request already: put it outside"))
	}
	return nil
}

// admitAnonymous marks a request as admitted without a credential. An identity from
// an outer wrapper stays.
func (g *guard) admitAnonymous(s *state) {
	if s.identity.Load() == nil {
		nobody := g.nobody
		if writer := s.errorsWriter(); writer != nil {
			nobody = &counted{openedBy: g, writer: writer, add: g.nobody.add}
		}
		s.usage.Store(nobody)
		s.marks |= openedHere
	}
}

// identify returns the identity of a credential, from the cache or the validator.
func (g *guard) identify(s *state, r *http.Request, username, secret string, query bool) (*Identity, error) {
	var k cacheKey
	var known *entry
	var err error
	if g.cache != nil {
		k.set(g.scheme, username, secret)
		known, err = g.cache.hit(&k, s.now)
		if o := s.observation(); o != nil {
			o.asked(known != nil || isRefusal(err))
		}
		if known != nil && (known.fits || query) {
			return &known.identity, nil
		}
	}

	// A hit whose credential has passed this check before returns above.
	if !query && !fitsHeader(g.scheme, secret) {
		return nil, malformed(g.header, g.expected)
	}
	switch {
	case known != nil:
		return &known.identity, nil
	case err != nil:
		return nil, err
	}

	c := Credential{Scheme: g.scheme, Username: username, Secret: secret, request: r, now: s.now}
	if g.cache != nil {
		return g.cache.miss(withoutState(r.Context()), k, c)
	}
	id, err := callValidator(withoutState(r.Context()), g.validator, c)
	if err != nil {
		return nil, err
	}
	return id.provenBy(methodOf(g.scheme)).unexpired(s.now)
}

// isRefusal reports whether err refuses a credential. A failure of the server does not.
func isRefusal(err error) bool { return err != nil && !errorsx.From(err).Code.IsServerError() }

// callValidator calls a validator. It turns a panic and an empty result into faults, and
// refuses a token that names nobody.
func callValidator(ctx context.Context, v Validator, c Credential) (id *Identity, err error) {
	defer errorsx.Recovered("middleware: the validator", &err)
	id, err = v.Validate(ctx, c)
	switch {
	case err != nil:
		return nil, err
	case id == nil:
		return nil, errorsx.Fault(errors.New("middleware: the validator returned neither identity nor error"))
	case !id.names() && id.claims != "":
		// The validator has done its part, and the token's claims name nobody.
		return nil, &errorsx.Error{
			Code: errorsx.UnknownToken, Err: errors.New("the token names neither a client nor a user in the claims that are read"),
		}
	case !id.names():
		return nil, errorsx.Fault(errors.New("middleware: the validator returned an identity with neither client nor user"))
	}
	return id, nil
}

func (g *guard) confirmed(r *http.Request, id *Identity) (err error) {
	if g.confirm == nil {
		if id.details != nil && id.details.Confirmation != "" {
			return errorsx.Fault(fmt.Errorf("middleware: %s: the credential needs a confirmation, and no Confirm is configured", g.name))
		}
		return nil
	}
	defer errorsx.Recovered("middleware: Confirm", &err)
	return g.confirm(r, *id)
}

// keyConfirmed refuses a token that is bound to a key unless ConfirmKey accepts it.
func (g *guard) keyConfirmed(r *http.Request, id *Identity) (err error) {
	if g.confirmKey == nil {
		return &errorsx.Error{
			Code: errorsx.UnknownToken, Client: id.Client,
			Err: errors.New("the token is bound to a key (cnf), and nothing checks that the client has it (see ConfirmKey)"),
		}
	}
	defer errorsx.Recovered("middleware: ConfirmKey", &err)
	return g.confirmKey(r, *id)
}
