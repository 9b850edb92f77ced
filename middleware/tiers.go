package middleware

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/authtier/authtier/errorsx"
)

// A TierTable says which wrapper guards the paths with a prefix.
//
// A prefix begins and ends with a slash. It covers whole segments, and the path that
// lacks its last slash: /user/ covers /user and not /userx. It is no router's pattern.
// A wrapper is [APIKey], [Bearer] or the like, a [Chain] of several, or [Unguarded]. A
// credential that no wrapper of the tier reads is not looked at.
type TierTable map[string]Wrapper

// Unguarded is the wrapper of a tier that is open to everybody.
func Unguarded(next http.Handler) http.Handler {
	notNil("Unguarded", next)
	return unguarded{next}
}

// unguarded is how Tiers recognizes the handler that Unguarded returns.
type unguarded struct{ http.Handler }

// TiersConfig configures [Tiers]. The zero value is ready to use.
type TiersConfig struct {
	// AllowPreflight lets CORS preflights (OPTIONS with Origin and
	// Access-Control-Request-Method) reach the handler without credentials. A handler
	// that does not look at the method answers its data to them, so a CORS handler in
	// front of the tiers is better, and needs no such exception. If it is not set,
	// preflights are refused like any other request.
	AllowPreflight bool
}

// Check returns an error that names everything that is wrong with the table: no tier,
// a prefix that is not plain or that reads like another one, a nil wrapper. It is for
// tables that come from files; [Tiers] panics with the same text.
func (t TierTable) Check() error {
	_, err := t.paths()
	if err != nil {
		return fmt.Errorf("middleware: TierTable: %w", err)
	}
	return nil
}

// paths returns the table by which a path is looked up. The numbers of the tiers are
// the places of their prefixes in sorted order.
func (t TierTable) paths() (*pathTable, error) {
	var table pathTable
	var errs []error
	if len(t) == 0 {
		errs = append(errs, errors.New("no tier"))
	}
	for _, prefix := range t.prefixes() {
		if err := table.add(prefix); err != nil {
			errs = append(errs, fmt.Errorf("prefix %q: %w", prefix, err))
		}
		if t[prefix] == nil {
			errs = append(errs, fmt.Errorf("prefix %q: nil Wrapper, expected one, or Unguarded", prefix))
		}
	}
	return &table, errors.Join(errs...)
}

func (t TierTable) prefixes() []string { return slices.Sorted(maps.Keys(t)) }

// Tiers returns a wrapper that puts each request behind the wrapper of its path's
// tier, that with the longest prefix. It refuses with 404 a path that no prefix
// covers, and a path that a server behind might read as belonging to another tier, or
// to none: /ext/..%2fuser/me is in no tier. An accepted path reaches the handler
// unchanged.
//
// A guard that authenticates nobody, such as a logger alone, is a fault in wiring:
// AUTH-8. A wrapper of your own says by [WithIdentity] that it has authenticated a
// request. An identity that a wrapper outside has proven stays, in an unguarded tier
// too, and is merged with the one that the tier proves: both must be of the same
// issuer and client.
//
// cfg may be nil. Tiers panics if the table's Check returns an error.
func Tiers(table TierTable, cfg *TiersConfig) Wrapper {
	paths, err := table.paths()
	if err != nil {
		panic("middleware: Tiers: " + err.Error())
	}
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
	paths          *pathTable
	prefixes       []string
	wrappers       []Wrapper
	allowPreflight bool
}

func (t *tiers) wrap(next http.Handler) http.Handler {
	notNil("Tiers", next)
	guarded := make([]http.Handler, len(t.wrappers))
	for i, wrapper := range t.wrappers {
		guarded[i] = wrapper(authenticatedAlone(t.prefixes[i], next))
		if _, open := guarded[i].(unguarded); open {
			guarded[i] = next
		}
	}

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tier, ok := t.paths.find(r.URL)
		if !ok {
			(*errorsx.Writer)(nil).Resource(w, r, "", errorsx.NotFound())
			return
		}

		s, r := join(r)
		if o := s.observation(); o != nil {
			o.entered(t.prefixes[tier])
		}
		if t.allowPreflight && preflight(r) {
			next.ServeHTTP(w, r)
			return
		}
		s.marks &^= openedHere // outside: each tier decides anew about requests without a credential
		guarded[tier].ServeHTTP(w, r)
	})
}

func preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" &&
		r.Header.Get("Access-Control-Request-Method") != ""
}

// authenticatedAlone serves requests that a guard has authenticated, or let in
// without a credential because of AllowAnonymous. A guard that does neither is a
// fault in wiring.
func authenticatedAlone(prefix string, next http.Handler) http.Handler {
	fault := errorsx.Fault(fmt.Errorf("middleware: Tiers: the guard of %s authenticates nobody", prefix))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s := stateOf(r.Context()); !s.identity.Load().names() && !s.has(openedHere) {
			(*errorsx.Writer)(nil).Resource(w, r, "", fault)
			return
		}
		next.ServeHTTP(w, r)
	})
}
