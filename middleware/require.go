package middleware

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/authtier/authtier/errorsx"
)

// Require admits a request only if every check returns nil for its identity. It is for
// conditions that are no scopes: a required claim, the owner of a resource, an address.
//
//	owner := middleware.Require(func(r *http.Request, id middleware.Identity) error {
//		if id.User != r.PathValue("user") {
//			return errorsx.Forbidden("Only the owner may read this")
//		}
//		return nil
//	})
//	mux.Handle("GET /users/{user}", owner(profile))
//
// The checks run in order. An error without a code of its own is AUTH-7 with status 403
// and is the cause; [errorsx.Forbidden] sets the message. The answer has no challenge,
// because a client that authorized again would get the same answer. If all errors are
// AUTH-7, all checks run, and one refusal lists the messages. The first error with another
// code ends the checks and decides. If a check cannot decide, for example because a
// database is down, it returns &errorsx.Error{Code: errorsx.Internal, Err: err}, which is
// AUTH-8; so are a context that has ended and a panic.
//
// Require belongs inside of every wrapper that authenticates. Like [Scope], it refuses a
// request that was admitted without a credential with AUTH-2, and it is a fault in wiring
// if no wrapper has authenticated the request. The checks run on every request and
// concurrently.
//
// Require panics if no check is given, and if one is nil.
func Require(checks ...func(r *http.Request, id Identity) error) Wrapper {
	var errs []error
	if len(checks) == 0 {
		errs = append(errs, errors.New("no check given"))
	}
	if slices.ContainsFunc(checks, func(check func(*http.Request, Identity) error) bool { return check == nil }) {
		errs = append(errs, errors.New("a nil check"))
	}
	mustWire("Require", errs...)
	checks = slices.Clone(checks)

	return func(next http.Handler) http.Handler {
		notNil("Require", next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, r := join(r)
			id, err := s.authenticated("Require")
			if err != nil {
				s.refuse(w, r, err)
				return
			}

			if err := failed(checks, r, id); err != nil {
				s.forbid(w, r, err)
				return
			}
			s.marks |= judged
			next.ServeHTTP(w, r)
		})
	}
}

// failed returns the refusal of a request that fails some checks, or nil. A panic is a
// fault.
func failed(checks []func(*http.Request, Identity) error, r *http.Request, id *Identity) (err error) {
	defer errorsx.Recovered("middleware: Require: a check", &err)
	var causes []error
	for _, check := range checks {
		err := check(r, *id)
		if err == nil {
			continue
		}
		if other := otherThanForbidden(err); other != nil {
			return other
		}
		causes = append(causes, err)
	}
	if causes == nil {
		return nil
	}

	var texts []string
	for _, cause := range causes {
		texts = appendMessages(texts, cause)
	}
	e := errorsx.Forbidden(cmp.Or(strings.Join(texts, "; "), "The request is not permitted"))
	e.Client, e.Err = id.Client, errors.Join(causes...)
	return e
}

// otherThanForbidden returns the first error in err that has a code other than AUTH-7, or
// that says that the check could not be made in time. It returns nil if there is none.
func otherThanForbidden(err error) error {
	if err == context.DeadlineExceeded || err == context.Canceled {
		return &errorsx.Error{Code: errorsx.Internal, Err: err}
	}
	switch e := err.(type) {
	case *errorsx.Error, errorsx.Code:
		if errorsx.From(err).Code != errorsx.ScopeNotAuthorized {
			return err
		}
	case interface{ Unwrap() []error }:
		for _, each := range e.Unwrap() {
			if other := otherThanForbidden(each); other != nil {
				return other
			}
		}
	case interface{ Unwrap() error }:
		return otherThanForbidden(e.Unwrap())
	}
	return nil
}

// appendMessages appends the messages for the client that err wraps, each once.
func appendMessages(texts []string, err error) []string {
	switch e := err.(type) {
	case *errorsx.Error:
		if e != nil && e.Message != "" {
			texts = appendNew(texts, e.Message)
		}
	case interface{ Unwrap() []error }:
		for _, each := range e.Unwrap() {
			texts = appendMessages(texts, each)
		}
	case interface{ Unwrap() error }:
		texts = appendMessages(texts, e.Unwrap())
	}
	return texts
}

// forbid refuses a request that fails a check: with AUTH-7 without a challenge, and with
// any other code as refuse does.
func (s *state) forbid(w http.ResponseWriter, r *http.Request, err error) {
	if errorsx.From(err).Code != errorsx.ScopeNotAuthorized {
		s.refuse(w, r, err)
		return
	}
	(*errorsx.Writer)(nil).Refuse(w, r, "", err)
}

// ClaimsFromContext decodes the claims of the request's identity into a T, such as a
// struct with json tags or a map. Names of members are matched exactly, so that a field
// without a tag is read from the claim of exactly that name. A number that is decoded into
// an any is exact only up to 2^53; use an integer or text. Each call decodes again.
//
// ClaimsFromContext returns an error if the request has no identity, if the identity has
// no claims, and if a member does not fit.
func ClaimsFromContext[T any](ctx context.Context) (T, error) {
	var claims T
	id, ok := IdentityFromContext(ctx)
	if !ok {
		return claims, errors.New("middleware: ClaimsFromContext: the request has no identity")
	}
	if err := id.DecodeClaims(&claims); err != nil {
		var none T
		return none, err
	}
	return claims, nil
}
