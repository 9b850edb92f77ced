package middleware

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/authtier/authtier/errorsx"
)

// Around returns a validator that calls f in the place of v. f decides whether
// and when to call v, which it gets as next, and must pass the credential on as it
// is: a credential that f makes anew lacks the client's address. The identity that
// next returns is f's own, and f may change it. A [Cache] around the result hears of
// the revocations that v knows of.
//
//	logged := middleware.Around(v, func(ctx context.Context, c middleware.Credential, next middleware.Validator) (*middleware.Identity, error) {
//		id, err := next.Validate(ctx, c)
//		log.Println(c, err)
//		return id, err
//	})
//
// Around panics if v or f is nil.
func Around(v Validator, f func(ctx context.Context, c Credential, next Validator) (*Identity, error)) Validator {
	if isNil(v) || f == nil {
		panic("middleware: Around: nil Validator or func")
	}
	return decorated{v, f}
}

type decorated struct {
	next Validator
	f    func(ctx context.Context, c Credential, next Validator) (*Identity, error)
}

// Validate implements [Validator].
func (d decorated) Validate(ctx context.Context, c Credential) (*Identity, error) {
	return d.f(ctx, c, copying{d.next})
}

// copying returns copies, which a decorator may change. A cache's own identities
// are shared by all requests.
type copying struct{ Validator }

func (v copying) Validate(ctx context.Context, c Credential) (*Identity, error) {
	id, err := v.Validator.Validate(ctx, c)
	if err != nil || id == nil {
		return nil, err
	}
	copied := *id
	return &copied, nil
}

// Unwrap returns the decorated validator.
func (d decorated) Unwrap() Validator { return d.next }

// ByScheme is a validator for each scheme, such as one's own issuer for API keys
// and another issuer's keys for Bearer. A scheme that it does not have is a fault
// in wiring, which wrappers find when they are made.
type ByScheme map[errorsx.Scheme]Validator

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
	return slices.DeleteFunc(slices.Collect(maps.Values(vs)), func(v Validator) bool { return v == nil })
}

// maxChain is how many validators one may be made of. A longer chain is taken for
// one that contains itself.
const maxChain = 1000

// chain returns v and the validators that it is made of, the outermost first.
func chain(v Validator) ([]Validator, error) {
	all := []Validator{v}
	for n := 0; n < len(all); n++ {
		all = append(all, wrapped(all[n])...)
		if len(all) > maxChain {
			return nil, fmt.Errorf("the validator wraps more than %d others, or itself", maxChain)
		}
	}
	if slices.ContainsFunc(all, func(v Validator) bool { return isNil(v) }) {
		return nil, errors.New("a nil Validator")
	}
	return all, nil
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

// silentIn returns a validator of the chain that is neither a Source nor inside of
// one, or nil. Nobody tells of its revocations.
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

// canCompare reports whether v may be compared without a panic.
func canCompare(v any) bool { return reflect.ValueOf(v).Comparable() }

// sources returns every Source of a chain once.
func sources(chain []Validator) (all []Source) {
	for _, v := range chain {
		source, ok := v.(Source)
		if !ok {
			continue
		}
		same := func(other Source) bool { return canCompare(other) && canCompare(source) && other == source }
		if !slices.ContainsFunc(all, same) {
			all = append(all, source)
		}
	}
	return all
}
