package middleware

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/authtier/authtier/errorsx"
)

// A guard is the part that APIKey, Basic and Bearer have in common: validate
// the credential, run the wrapper's own checks, merge, publish.
type guard struct {
	name        string
	header      string
	expected    string // of the header's value, unless it is decoded
	validator   Validator
	cache       *Cache    // the validator, where it is one
	throttle    *Throttle // around the validator, or nil
	scheme      errorsx.Scheme
	errors      *errorsx.Writer
	otherClient bool

	// from is the source of a credential in the header. A query is read too where
	// safe is not nil.
	from *source

	// read finds the credential in the request. Which characters it holds is
	// looked at where it is validated, unless it is decoded.
	read func(r *http.Request) (username, secret string, from *source, err error)

	// check judges the identity for this route; nil checks nothing.
	check func(id *Identity) error

	// safe judges an identity from the query, after it is merged: scopes come
	// last. It is not nil where read looks into the query.
	safe func(id *Identity) error

	// confirm is [BearerConfig.Confirm].
	confirm func(r *http.Request, id Identity) error
}

// A source is where in the request a credential was found. Its header values
// are shared by all answers and never changed.
type source struct {
	query   bool
	vary    []string
	private bool // shared caches do not know to protect the answer
}

var (
	privateValue    = []string{"private"}
	noReferrerValue = []string{"no-referrer"}
)

// headerSource is the source of credentials in the header with that canonical
// name.
func headerSource(name string) *source {
	if name == "Authorization" {
		return &source{}
	}
	return &source{vary: []string{name}, private: true}
}

// protect sets the headers that keep an answer from being given to others.
// Authorization needs none: caches know it (RFC 9111 section 3.5).
func (s *source) protect(h http.Header) {
	if !s.private && len(s.vary) == 0 {
		return
	}
	var vary, cacheControl []string
	if len(h) > 0 {
		vary, cacheControl = h["Vary"], h["Cache-Control"]
	}
	switch {
	case len(s.vary) == 0:
	case len(vary) == 0:
		h["Vary"] = s.vary[:len(s.vary):len(s.vary)] // what a handler adds is not shared
	default:
		h["Vary"] = append(vary[:len(vary):len(vary)], s.vary...)
	}
	if s.private && len(cacheControl) == 0 {
		h["Cache-Control"] = privateValue
	}
	if s.query {
		h["Referrer-Policy"] = noReferrerValue
	}
}

// wrapper returns the guard as a Wrapper.
func (g *guard) wrapper() Wrapper {
	g.unwrap()
	return g.wrap
}

// unwrap finds what the validator is made of, so that it is not asked through
// layers.
func (g *guard) unwrap() {
	if v, ok := g.validator.(ByScheme); ok {
		if g.validator = v[g.scheme]; g.validator == nil {
			panic("middleware: " + g.name + ": no validator for the scheme " + string(g.scheme))
		}
	}
	if v, ok := g.validator.(throttled); ok {
		g.throttle, g.validator = v.throttle, v.validator
	}
	g.cache, _ = g.validator.(*Cache)
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
			g.errors.Resource(w, r, g.scheme, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// authenticate publishes the request's identity, after the last check. The source
// is nil where no credential was proven.
func (g *guard) authenticate(s *state, r *http.Request) (*source, error) {
	username, secret, from, err := g.read(r)
	if err != nil {
		return nil, err
	}
	id, err := g.attempt(r, s.now, username, secret, from.query)
	if err != nil {
		return nil, err
	}
	if g.check != nil {
		if err := g.check(id); err != nil {
			return from, err
		}
	}
	merged, ok := merge(s.identity.Load(), id, g.otherClient)
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
	s.identity.Store(merged)
	s.by.Store(g)
	return from, nil
}

// attempt is identify, throttled. What is throttled does not end with its request:
// who hangs up has failed all the same.
func (g *guard) attempt(r *http.Request, now time.Time, username, secret string, query bool) (id *Identity, err error) {
	if g.throttle == nil || g.scheme != errorsx.SchemeBasic {
		return g.identify(r, now, username, secret, query)
	}
	attempt, err := g.throttle.Begin(Credential{Scheme: g.scheme, Username: username, From: g.throttle.From(r)})
	if err != nil {
		return nil, err
	}
	defer func() { attempt.End(err) }()
	return g.identify(r.WithContext(context.WithoutCancel(r.Context())), now, username, secret, query)
}

// identify returns the identity that a credential proves, by what a cache
// remembers or by asking the validator.
func (g *guard) identify(r *http.Request, now time.Time, username, secret string, query bool) (*Identity, error) {
	var k cacheKey
	var known *entry
	var err error
	if g.cache != nil {
		k.set(g.scheme, username, secret)
		known, err = g.cache.hit(&k, now)
		if known != nil && (known.fits || query) {
			return &known.identity, nil
		}
	}
	// An entry says whether its credential has passed this check.
	if !query && !fitsHeader(g.scheme, secret) {
		return nil, malformed(g.header, g.expected)
	}
	c := Credential{Scheme: g.scheme, Username: username, Secret: secret, now: now}
	if g.scheme == errorsx.SchemeBasic {
		c.From = g.throttle.From(r)
	}
	switch {
	case known != nil:
		return &known.identity, nil
	case err != nil:
		return nil, err
	case g.cache != nil:
		return g.cache.miss(withoutState(r.Context()), k, c)
	}
	id, err := ask(withoutState(r.Context()), g.validator, c)
	if err != nil {
		return nil, err
	}
	return id.unexpired(c.Now())
}

// ask asks a validator, and takes a panic and an empty answer for faults of
// ours.
func ask(ctx context.Context, v Validator, c Credential) (id *Identity, err error) {
	defer errorsx.Recovered("middleware: the validator", &err)
	id, err = v.Validate(ctx, c)
	switch {
	case err != nil:
		return nil, err
	case id == nil:
		return nil, errorsx.Fault(errors.New("middleware: the validator returned neither identity nor error"))
	}
	return id, nil
}

func (g *guard) confirmed(r *http.Request, id *Identity) (err error) {
	if g.confirm == nil {
		if id.Confirm != "" {
			return errorsx.Fault(fmt.Errorf("middleware: %s: the credential needs a confirmation, and no Confirm is configured", g.name))
		}
		return nil
	}
	defer errorsx.Recovered("middleware: Confirm", &err)
	return g.confirm(r, *id)
}
