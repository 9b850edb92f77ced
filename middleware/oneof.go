package middleware

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware/internal/wiring"
)

// A Way is one of several ways to authenticate a request: an [APIKeyConfig], a
// [BasicConfig] or a [BearerConfig].
type Way interface {
	// guard returns the guard of the way with v as its validator, which may be nil.
	// The error names every fault of the way. The guard is never nil.
	guard(v Validator) (*guard, error)
}

// OneOf admits a request with any one of several credentials:
//
//	middleware.OneOf(auth, middleware.BearerConfig{RequireUser: true}, middleware.APIKeyConfig{})
//
// The first way whose credential is present decides, as its own wrapper would. If
// that credential is refused, no other way is tried. RequireUser applies only to its
// own way: with the wrapper above, a request with only a key has no user.
//
// Ways that read the same header are distinguished by the scheme in its value. A
// scheme that no way reads is AUTH-3. A request without any credential is AUTH-2,
// unless all ways set AllowAnonymous. Setting it on only some of them is a fault in
// wiring.
//
// A refusal challenges with the scheme of the way that decided, and then with the
// schemes of the others (RFC 9110 section 11.6.1). Every answer has the headers that
// any of the ways needs, because the next request may use another way.
//
// OneOf panics if no way is given, if a way is nil, if only some of them set
// AllowAnonymous, and if a way can never decide because an earlier one reads the same
// header. It also panics if the wrapper of one of the ways would.
func OneOf(v Validator, ways ...Way) Wrapper {
	o := &oneOf{}
	var errs []error
	var schemes []Scheme
	if len(ways) == 0 {
		errs = append(errs, errors.New("no way given"))
	}
	for i, way := range ways {
		if wiring.IsNil(way) {
			errs = append(errs, fmt.Errorf("way %d is nil", i+1))
			continue
		}

		g, err := way.guard(v)
		if err != nil {
			errs = append(errs, fmt.Errorf("way %d, %s: %w", i+1, g.name, err))
		}
		if slices.ContainsFunc(o.ways, func(w *option) bool { return w.hides(g) }) {
			errs = append(errs, fmt.Errorf("way %d, %s: an earlier way reads the same %s header", i+1, g.name, shown(g.header)))
		}
		schemes = appendNew(schemes, g.scheme)
		o.ways = append(o.ways, &option{guard: g})
	}

	mixed := func(w *option) bool { return (w.anonymous == nil) != (o.ways[0].anonymous == nil) }
	if slices.ContainsFunc(o.ways, mixed) {
		errs = append(errs, errors.New("AllowAnonymous is set for some ways and not for all"))
	}
	mustWire("OneOf", append(errs, checkValidator(v, schemes...))...)
	o.prepare()
	return o.wrap
}

// hides reports whether g can never decide, because w comes before it.
func (w *option) hides(g *guard) bool {
	return w.header == g.header && (isScheme(w.onWire, g.onWire) || w.bare || g.bare)
}

type oneOf struct {
	ways                        []*option
	from, fromQuery, fromCookie *location // the locations of a credential
	anonymous                   *location // the location that stands for anonymous requests, or nil if they are refused
	missing                     error
}

// An option is one of the ways of a OneOf.
type option struct {
	*guard
	known []string // the schemes that all ways read in this way's header
}

// prepare computes the values that are the same for all requests.
func (o *oneOf) prepare() {
	o.from, o.fromQuery = &location{}, &location{query: true, private: true}
	o.fromCookie = &location{cookie: true, private: true}
	var names, cookies []string
	for _, w := range o.ways {
		w.prepare()
		for _, other := range o.ways {
			if other.header == w.header {
				w.known = append(w.known, other.onWire)
			}
			if other.onWire != w.onWire {
				w.others = appendNew(w.others, other.onWire)
			}
		}

		names = appendNew(names, `"`+shown(w.header)+`"`)
		if w.cookie != "" {
			cookies = appendNew(cookies, ` or "`+w.cookie+`" cookie`)
		}
		o.from.private = o.from.private || w.from.private
		o.fromQuery.vary = appendNew(o.fromQuery.vary, shown(w.header))
		o.fromQuery.vary = appendNew(o.fromQuery.vary, w.from.vary...)
	}

	o.fromCookie.vary = o.fromQuery.vary
	if o.ways[0].anonymous != nil {
		o.anonymous = &location{vary: o.fromQuery.vary}
	}
	if o.from.private || o.anonymous != nil {
		o.from.vary = o.fromQuery.vary
	}

	o.missing = &errorsx.Error{Code: errorsx.CredentialsMissing, Message: "Missing " + strings.Join(names, " or ") + " header" + strings.Join(cookies, "")}
	for _, w := range o.ways {
		w.absent = o.missing
	}
}

// appendNew appends the items that the list does not contain yet.
func appendNew[T comparable](list []T, items ...T) []T {
	for _, item := range items {
		if !slices.Contains(list, item) {
			list = append(list, item)
		}
	}
	return list
}

func (o *oneOf) wrap(next http.Handler) http.Handler {
	notNil("OneOf", next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, r := join(r)
		way, from, err := o.authenticate(s, r)
		if from != nil {
			from.protect(w.Header())
		}
		if err != nil {
			(*errorsx.Writer)(nil).Refuse(w, r, way.onWire, err, way.others...)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// authenticate authenticates the request by one way and returns that way. The location
// is the same for every way, because the next request may use another one.
func (o *oneOf) authenticate(s *state, r *http.Request) (*option, *location, error) {
	way, err := o.choose(r)
	switch {
	case err == o.missing && o.anonymous != nil:
		o.ways[0].admitAnonymous(s)
		return way, o.anonymous, nil
	case err != nil:
		return way, o.anonymous, err
	}

	found, err := way.authenticate(s, r)
	switch {
	case found == nil || found == way.anonymous:
		return way, o.anonymous, err
	case found.query:
		return way, o.fromQuery, err
	case found.cookie:
		return way, o.fromCookie, err
	}
	return way, o.from, err
}

// choose returns the way that decides, or the way that answers with the error.
func (o *oneOf) choose(r *http.Request) (*option, error) {
	for _, way := range o.ways {
		if offered, err := way.offered(r); offered {
			return way, err
		}
	}
	return o.ways[0], o.missing
}

// offered reports whether w must decide on the request: it has a credential for w, or
// a header of w whose scheme no way reads.
func (w *option) offered(r *http.Request) (bool, error) {
	if w.safe != nil && queryOffers(r) {
		return true, nil
	}

	values := r.Header[w.header]
	if len(values) == 0 || len(values) == 1 && values[0] == "" {
		return w.cookie != "" && isCookie(cookieNamed(r.Header["Cookie"], w.cookie)), nil
	}

	named, _, _ := strings.Cut(values[0], " ")
	if w.bare || len(values) > 1 || isScheme(named, w.onWire) {
		return true, nil
	}
	if slices.ContainsFunc(w.known, func(scheme string) bool { return isScheme(named, scheme) }) {
		return false, nil
	}
	return true, wrongScheme(w.header, named, strings.Join(w.known, " or "))
}
