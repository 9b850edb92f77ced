package middleware

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware/internal/paths"
	"github.com/authtier/authtier/middleware/internal/wiring"
)

// A TierTable maps path prefixes to the wrappers that guard them.
//
// A prefix begins and ends with a slash. It covers whole segments, and also the path
// without its last slash: /user/ covers /user but not /userx. It is not a router's
// pattern. A wrapper is [APIKey], [Bearer] or a similar one, a [Chain] of several, or
// [Unguarded]. Credentials that no wrapper of the tier reads are ignored.
type TierTable map[string]Wrapper

// Unguarded is the wrapper of a tier that admits everyone. It panics if next is nil.
// In a [Chain] with other wrappers it has no effect: they guard the tier.
func Unguarded(next http.Handler) http.Handler {
	notNil("Unguarded", next)
	return unguarded{next}
}

// unguarded is the type by which Tiers recognizes the handler that Unguarded returns.
type unguarded struct{ http.Handler }

// TiersConfig configures [Tiers]. The zero value is ready to use.
type TiersConfig struct {
	// AllowPreflight lets CORS preflights (OPTIONS with Origin and
	// Access-Control-Request-Method) reach the handler without credentials. A handler
	// that ignores the method then sends its data to them. A CORS handler outside of
	// Tiers is better and does not need this setting. If it is not set, preflights
	// are refused like any other request.
	AllowPreflight bool
}

// Check returns an error that names every fault of the table: no tier, a prefix that
// is not plain or that reads like another one, or a nil wrapper. It is for tables
// that come from files. [Tiers] panics for the same faults.
func (t TierTable) Check() error {
	_, err := t.paths()
	if err != nil {
		return fmt.Errorf("middleware: TierTable: %w", err)
	}
	return nil
}

// paths returns the table for looking up paths. A tier's number is the index of its
// prefix in sorted order.
func (t TierTable) paths() (*paths.Table, error) {
	var table paths.Table
	var errs []error
	if len(t) == 0 {
		errs = append(errs, errors.New("no tier"))
	}

	for _, prefix := range t.prefixes() {
		if err := table.Add(prefix); err != nil {
			errs = append(errs, fmt.Errorf("prefix %q: %w", prefix, err))
		}
		if t[prefix] == nil {
			errs = append(errs, fmt.Errorf("prefix %q: nil Wrapper, expected one, or Unguarded", prefix))
		}
	}

	return &table, errors.Join(errs...)
}

func (t TierTable) prefixes() []string { return slices.Sorted(maps.Keys(t)) }

// Tiers returns a wrapper that guards each request by the wrapper of its path's tier.
// The longest prefix decides. A path that no prefix covers is refused with 404. So is
// a path that a server behind might read as belonging to another tier or to none,
// such as /ext/..%2fuser/me. An accepted path reaches the handler unchanged.
//
// A guard that authenticates nobody, such as one that only logs, is a fault in wiring
// (AUTH-8). A wrapper of your own must use [WithIdentity] to record that it has
// authenticated a request. An identity that an outer wrapper has proven stays, even
// in an unguarded tier. It is merged with the identity that the tier proves, so both
// must be of the same issuer and client.
//
// cfg may be nil. Tiers panics if the table's Check returns an error. The wrapper that
// it returns panics if a wrapper of the table returns a nil handler.
func Tiers(table TierTable, cfg *TiersConfig) Wrapper {
	paths, err := table.paths()
	mustWire("Tiers", err)
	if cfg == nil {
		cfg = &TiersConfig{}
	}
	t := &tiers{paths: paths, prefixes: table.prefixes(), allowPreflight: cfg.AllowPreflight}
	for _, prefix := range t.prefixes {
		t.wrappers = append(t.wrappers, table[prefix])
	}
	return t.wrap
}

type tiers struct {
	paths          *paths.Table
	prefixes       []string
	wrappers       []Wrapper
	allowPreflight bool
}

func (t *tiers) wrap(next http.Handler) http.Handler {
	notNil("Tiers", next)
	guarded := make([]http.Handler, len(t.wrappers))
	var errs []error
	for i, wrapper := range t.wrappers {
		inner := &authenticatedAlone{next, t.prefixes[i]}
		guarded[i] = wrapper(inner)
		if wiring.IsNil(guarded[i]) {
			errs = append(errs, fmt.Errorf("prefix %q: the Wrapper returned a nil Handler", t.prefixes[i]))
		}

		// Unguarded authenticates nobody, and that is not a fault. It must be alone:
		// other wrappers between it and inner guard the tier.
		if u, ok := guarded[i].(unguarded); ok && u.Handler == inner {
			guarded[i] = next
		}
	}
	mustWire("Tiers", errs...)

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tier, ok := t.paths.Find(r.URL)
		if !ok {
			(*errorsx.Writer)(nil).Refuse(w, r, "", errorsx.NotFound())
			return
		}

		s, r := join(r)
		if o := s.observation(); o != nil {
			o.entered(&t.prefixes[tier])
		}
		if t.allowPreflight && preflight(r) {
			next.ServeHTTP(w, r)
			return
		}

		// Each tier decides for itself about requests without a credential, whatever
		// an outer wrapper has admitted.
		s.marks &^= openedHere
		guarded[tier].ServeHTTP(w, r)
	})
}

func preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" &&
		r.Header.Get("Access-Control-Request-Method") != ""
}

// authenticatedAlone calls next only for requests that a guard has authenticated, or
// admitted without a credential because of AllowAnonymous. It refuses all others as a
// fault in wiring.
type authenticatedAlone struct {
	next   http.Handler
	prefix string
}

func (a *authenticatedAlone) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s := stateOf(r.Context()); !s.identity.Load().names() && !s.has(openedHere) {
		fault := errorsx.Fault(fmt.Errorf("middleware: Tiers: the guard of %s authenticates nobody", a.prefix))
		(*errorsx.Writer)(nil).Refuse(w, r, "", fault)
		return
	}
	a.next.ServeHTTP(w, r)
}
