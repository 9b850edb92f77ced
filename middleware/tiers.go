package middleware

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/authtier/authtier/errorsx"
)

// A Tier is a path prefix and the wrappers that guard it.
type Tier struct {
	// Prefix begins and ends with a slash. It covers whole segments, and the
	// path that lacks its last slash: /user/ covers /user and not /userx.
	Prefix string

	// Guard are the wrappers, the outermost first. A credential that no wrapper
	// of the tier reads is not looked at.
	Guard []Wrapper

	// Open must be set for a tier without a guard: none can be left open by
	// forgetting its wrappers. A guard that authenticates nobody, such as a logger
	// alone, is refused with AUTH-8; a wrapper of your own says by [WithIdentity]
	// that it has authenticated a request.
	Open bool
}

// TiersConfig configures [Tiers]. The zero value is ready to use.
type TiersConfig struct {
	// Errors answers refused paths, and refused requests inside. If nil, the writer
	// of the nearest [Errors] outside does.
	Errors *errorsx.Writer
}

// Tiers returns a wrapper that puts each request behind the guard of its path's
// tier, that with the longest prefix. A path that no prefix covers is refused
// with 404, and so is one that a server behind might read as belonging to
// another tier, or to none: /ext/..%2fuser/me is in no tier. What is accepted
// reaches the handler unchanged.
//
// Tiers reports everything that is wrong with the table at once: no tier, a
// prefix that is not plain or that reads like another one, a tier neither
// guarded nor open, a nil wrapper. An identity that a wrapper outside has proven
// stays, in an open tier too, and is merged with the one that the tier proves: both
// must be of the same issuer and client.
func Tiers(tiers []Tier, cfg TiersConfig) (Wrapper, error) {
	var table pathTable
	var guards []Wrapper
	var errs []error
	if len(tiers) == 0 {
		errs = append(errs, errors.New("middleware: Tiers: no tier"))
	}
	for _, t := range tiers {
		if err := errors.Join(t.check(), table.add(t.Prefix)); err != nil {
			errs = append(errs, fmt.Errorf("middleware: Tiers: prefix %q: %w", t.Prefix, err))
			continue
		}
		var guard Wrapper // of an open tier
		if !t.Open {
			guard = Chain(t.Guard...)
		}
		guards = append(guards, guard)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	wrapper := func(next http.Handler) http.Handler {
		notNil("Tiers", next)
		return newTierHandler(&table, guards, next)
	}
	if cfg.Errors != nil {
		wrapper = Chain(Errors(cfg.Errors), wrapper)
	}
	return wrapper, nil
}

func (t Tier) check() error {
	if t.Open != (len(t.Guard) == 0) {
		return errors.New("a tier is either guarded or open")
	}
	for _, w := range t.Guard {
		if w == nil {
			return errors.New("nil Wrapper")
		}
	}
	return nil
}

func newTierHandler(table *pathTable, guards []Wrapper, next http.Handler) http.Handler {
	guarded := make([]http.Handler, len(guards))
	for i, guard := range guards {
		guarded[i] = next
		if guard != nil {
			guarded[i] = guard(authenticatedAlone(table.exact[i]+"/", next))
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tier, ok := table.find(r.URL)
		if !ok {
			(*errorsx.Writer)(nil).Resource(w, r, "", errorsx.NotFound())
			return
		}

		s, r := join(r)
		if o := s.observation(); o != nil {
			o.entered(table.exact[tier] + "/")
		}
		s.marks &^= openedHere // outside: each tier decides anew about requests without a credential
		guarded[tier].ServeHTTP(w, r)
	})
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
