package middleware

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync/atomic"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware/internal/wiring"
)

// Around returns a validator that calls f instead of v. f gets v as next and decides
// whether and when to call it. f must pass on the credential that it was given,
// because a new credential lacks the client's address. f may change the identity that
// next returns, since it is a copy, or return another one. The result always keeps the
// limits of the identity that next returned last: its end, its networks, its
// confirmation, its owner, and the IDs by which it is revoked. If f changes the client
// or the user, revocations of the original one do not reach the result. If f joins a
// list of scopes, it must refuse elements that contain a space: they would become
// several scopes.
//
// A [Cache] around the result learns of the revocations that v reports. f must be safe
// for concurrent use.
//
//	logged := middleware.Around(v, func(ctx context.Context, c middleware.Credential, next middleware.Validator) (*middleware.Identity, error) {
//		id, err := next.Validate(ctx, c)
//		log.Println(c, err)
//		return id, err
//	})
//
// Around panics if v or f is nil.
func Around(v Validator, f func(ctx context.Context, c Credential, next Validator) (*Identity, error)) Validator {
	var errs []error
	if wiring.IsNil(v) {
		errs = append(errs, errors.New("nil Validator"))
	}
	if f == nil {
		errs = append(errs, errors.New("nil func"))
	}
	mustWire("Around", errs...)
	return decorated{v, f}
}

type decorated struct {
	next Validator
	f    func(ctx context.Context, c Credential, next Validator) (*Identity, error)
}

// Validate implements [Validator].
func (d decorated) Validate(ctx context.Context, c Credential) (*Identity, error) {
	next := &copying{Validator: d.next}
	id, err := d.f(ctx, c, next)
	if proven := next.last.Load(); err == nil && id != nil && proven != nil {
		id.endWith(proven)
	}
	return id, err
}

// copying returns copies of v's identities, which a decorator may change. A cache's
// own identities are shared by all requests.
type copying struct {
	Validator
	last atomic.Pointer[Identity] // the last identity that it returned
}

func (v *copying) Validate(ctx context.Context, c Credential) (*Identity, error) {
	id, err := v.Validator.Validate(ctx, c)
	if err != nil || id == nil {
		return nil, err
	}
	v.last.Store(id)
	copied := *id
	return &copied, nil
}

// endWith gives id what limits the credential of proven and is missing in id. A
// decorator may return an identity of its own making. It must end with the credential
// that it was made from, and be usable from the same networks only.
func (id *Identity) endWith(proven *Identity) {
	id.TokenID = cmp.Or(id.TokenID, proven.TokenID)
	id.Family = cmp.Or(id.Family, proven.Family)
	id.APIKeyID = cmp.Or(id.APIKeyID, proven.APIKeyID)
	id.SigningKeyID = cmp.Or(id.SigningKeyID, proven.SigningKeyID)
	id.ClientVersion = cmp.Or(id.ClientVersion, proven.ClientVersion)
	if !proven.Expires.IsZero() && (id.Expires.IsZero() || proven.Expires.Before(id.Expires)) {
		id.Expires = proven.Expires
	}

	if limits := proven.details; limits != nil {
		d := id.Details()
		if len(d.Addrs) == 0 {
			d.Addrs = limits.Addrs
		}
		d.Owner = cmp.Or(d.Owner, limits.Owner)
		d.Confirmation = cmp.Or(d.Confirmation, limits.Confirmation)
		d.KeyBinding = d.KeyBinding || limits.KeyBinding
		d.ScopeLimit = d.ScopeLimit || limits.ScopeLimit
		*id = id.WithDetails(d)
	}
}

// Unwrap returns the decorated validator.
func (d decorated) Unwrap() Validator { return d.next }

// ByScheme maps each scheme to its validator. For example, API keys may go to your
// own issuer and Bearer tokens to the keys of another issuer. A scheme without a
// validator is a fault in wiring (AUTH-8); a wrapper that reads such a scheme panics
// when it is made. So does a wrapper around a ByScheme that is empty or has a nil
// Validator, and [NewCache] returns an error. A ByScheme must not be changed once it is
// in use.
type ByScheme map[Scheme]Validator

// Validate implements [Validator].
func (vs ByScheme) Validate(ctx context.Context, c Credential) (*Identity, error) {
	v := vs[c.Scheme]
	if v == nil {
		return nil, errorsx.Fault(fmt.Errorf("middleware: ByScheme: no validator for the scheme %q", c.Scheme))
	}
	return v.Validate(ctx, c)
}

// Unwrap returns the validators of all schemes.
func (vs ByScheme) Unwrap() []Validator {
	return slices.DeleteFunc(slices.Collect(maps.Values(vs)), func(v Validator) bool { return wiring.IsNil(v) })
}

// check returns an error that names every scheme whose validator is nil.
func (vs ByScheme) check() error {
	var errs []error
	if len(vs) == 0 {
		errs = append(errs, errors.New("an empty ByScheme"))
	}
	for _, scheme := range slices.Sorted(maps.Keys(vs)) {
		if wiring.IsNil(vs[scheme]) {
			errs = append(errs, fmt.Errorf("a nil Validator for the scheme %q", scheme))
		}
	}
	return errors.Join(errs...)
}

// maxChain is the largest number of validators that one validator may contain. A
// longer chain is assumed to contain itself.
const maxChain = 1000

// chain returns v and the validators inside of it, the outermost first.
func chain(v Validator) ([]Validator, error) {
	all := []Validator{v}
	var errs []error
	for n := 0; n < len(all); n++ {
		vs, ok := all[n].(ByScheme)
		switch {
		case wiring.IsNil(all[n]):
			errs = append(errs, errors.New("a nil Validator"))
			continue
		case ok:
			errs = append(errs, vs.check())
		}

		all = append(all, wrapped(all[n])...)
		if len(all) > maxChain {
			return nil, fmt.Errorf("the validator wraps more than %d others, or itself", maxChain)
		}
	}

	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return all, nil
}

// checkValidator returns an error if v or a validator inside is nil, or if v has no
// validator for one of the schemes.
func checkValidator(v Validator, schemes ...Scheme) error {
	if _, err := chain(v); err != nil {
		return err
	}
	var errs []error
	for _, scheme := range schemes {
		if !supports(v, scheme) {
			errs = append(errs, fmt.Errorf("no validator for the scheme %s", scheme))
		}
	}
	return errors.Join(errs...)
}

// supports reports whether v passes on credentials of a scheme. It looks for a ByScheme
// inside of caches and throttles. Other decorators may handle a scheme themselves.
func supports(v Validator, scheme Scheme) bool {
	for {
		switch w := v.(type) {
		case *Cache:
			v = w.validator
		case throttled:
			v = w.Unwrap()
		case ByScheme:
			if w[scheme] == nil {
				return false
			}
			v = w[scheme]
		default:
			return true
		}
	}
}

// wrapped returns the validators that v wraps.
func wrapped(v Validator) []Validator {
	switch w := v.(type) {
	case interface{ Unwrap() Validator }:
		return []Validator{w.Unwrap()}
	case interface{ Unwrap() []Validator }:
		return w.Unwrap()
	}
	return nil
}

// silentIn returns a validator in v that is neither a Source nor inside of one, or
// nil. Nothing reports the revocations of such a validator.
func silentIn(v Validator) Validator {
	if _, ok := v.(Source); ok {
		return nil
	}

	inside := wrapped(v)
	if len(inside) == 0 {
		return v
	}

	for _, w := range inside {
		if silent := silentIn(w); silent != nil {
			return silent
		}
	}
	return nil
}

// canCompare reports whether comparing v does not panic.
func canCompare(v any) bool { return reflect.ValueOf(v).Comparable() }

// sources returns every Source of a chain, each one once.
func sources(chain []Validator) (all []Source) {
	for _, v := range chain {
		source, ok := v.(Source)
		if !ok {
			continue
		}

		// Comparing values of an incomparable type would panic.
		same := func(other Source) bool { return canCompare(other) && canCompare(source) && other == source }
		if !slices.ContainsFunc(all, same) {
			all = append(all, source)
		}
	}
	return all
}
