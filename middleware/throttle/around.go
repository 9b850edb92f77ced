package throttle

import (
	"context"
	"errors"

	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/internal/wiring"
)

// Around returns a validator that calls v and throttles its Basic credentials. It
// must be around a [middleware.Cache], because attempts that a cache answers must be counted
// too; [middleware.NewCache] returns an error if it contains a throttle. Around panics if t or v
// is nil.
func (t *Throttle) Around(v middleware.Validator) middleware.Validator {
	var errs []error
	if t == nil {
		errs = append(errs, errors.New("nil Throttle"))
	}
	if wiring.IsNil(v) {
		errs = append(errs, errors.New("nil Validator"))
	}
	if err := errors.Join(errs...); err != nil {
		panic("throttle: Around: " + err.Error())
	}
	return throttled{t, v}
}

type throttled struct {
	throttle  *Throttle
	validator middleware.Validator
}

// Validate implements [middleware.Validator]. An attempt outlives its request. Otherwise a
// client could avoid the failure by closing the connection.
func (v throttled) Validate(ctx context.Context, c middleware.Credential) (id *middleware.Identity, err error) {
	if c.Scheme != middleware.SchemeBasic {
		return v.validator.Validate(ctx, c)
	}
	attempt, err := v.throttle.Begin(c)
	if err != nil {
		return nil, err
	}

	defer func() { attempt.End(err) }()
	return v.validator.Validate(context.WithoutCancel(ctx), c)
}

// OutsideCache is the mark by which [middleware.NewCache] finds a throttle. A cache
// must not contain one, because it would hide attempts from it.
func (v throttled) OutsideCache() {}

// Unwrap returns the throttled validator.
func (v throttled) Unwrap() middleware.Validator { return v.validator }
