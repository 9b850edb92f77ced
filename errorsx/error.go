// Package errorsx says what a refusal is and renders it.
//
// Wrappers and handlers refuse a request with an [*Error], or with a bare
// [Code]; a [Writer] turns it into the JSON answer:
//
//	{"code":"AUTH-12","message":"Invalid token","error":"invalid_token","error_description":"Invalid token"}
//
// Code and message are for people and for clients of this suite, error and
// error_description for every OAuth 2.0 client (RFC 6749 section 5.2, RFC 6750
// section 3.1). Which HTTP status a code has is a [Dialect]: [Table] or [RFC].
//
// An error that is neither an [*Error] nor a [Code] is a failure of ours: it is
// answered AUTH-8, and its text goes to the log alone.
package errorsx

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// An Error refuses a request. Its code and message are sent to the client; its
// cause is for the operator's log. An Error is not changed once it is returned.
type Error struct {
	Code Code

	// Message names the header or parameter at fault and what was expected,
	// never a value from the request. If empty, it is the code's own. The
	// message of a failure of ours is never sent.
	Message string

	// OAuth is the error of RFC 6749 section 5.2 or RFC 6750 section 3.1, where
	// the code leaves a choice. If empty, the dialect chooses by code and place.
	OAuth string

	// Scope is the challenge's scope attribute: the scopes of which one is
	// needed, separated by spaces.
	Scope string

	// Client is the client whose genuine credential was refused, or empty where
	// none was proven. It is for hooks and logs and is never sent.
	Client string

	// Status, if not 0, is the HTTP status in every dialect.
	Status int

	// NoError leaves the error out of the challenge: the request carried no
	// credential of the scheme that was looked for (RFC 6750 section 3.1).
	NoError bool

	// RetryAfter is the answer's Retry-After, rounded up to whole seconds. If 0,
	// answers with status 429 and 503 say one second.
	RetryAfter time.Duration

	// Err is the cause, or nil.
	Err error
}

// Error returns code, message and cause, for logs.
func (e *Error) Error() string {
	s := e.Code.String() + ": " + cmp.Or(e.Message, e.message())
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the code and the cause, for [errors.Is] and [errors.AsType].
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Code}
	}
	return []error{e.Code, e.Err}
}

// message is what is sent.
func (e *Error) message() string {
	switch {
	case !e.Code.valid():
		return messages[Internal]
	case e.Message == "" || e.Code.Ours():
		return messages[e.Code]
	}
	return e.Message
}

// From returns the refusal that err is. A bare [Code] refuses like an Error with
// that code, which all its refusals share. An err that wraps neither is a failure of ours, AUTH-8.
func From(err error) *Error {
	if c, ok := err.(Code); ok && c.valid() {
		return &bare[c]
	}
	if e, ok := errors.AsType[*Error](err); ok && e != nil && e.Code.valid() {
		return e
	}
	if c, ok := errors.AsType[Code](err); ok && c.valid() {
		return &Error{Code: c, Err: err}
	}
	return &Error{Code: Internal, Err: err}
}

// bare are the refusals that say no more than their code.
var bare = func() (es [len(messages)]Error) {
	for i := range es {
		es[i] = Error{Code: Code(i)}
	}
	return es
}()

// Fault returns the AUTH-8 of a server that is wired wrongly or whose code
// panicked: unlike a store that cannot be asked, it does not go away by itself.
func Fault(err error) *Error {
	return &Error{Code: Internal, OAuth: "server_error", Err: err}
}

// Recovered turns a panic into a [Fault]. It is deferred by who calls code that
// is not its own, and says what that is. [http.ErrAbortHandler] passes.
func Recovered(what string, err *error) {
	switch p := recover(); p {
	case nil:
	case http.ErrAbortHandler:
		panic(p)
	default:
		*err = Fault(fmt.Errorf("%s panicked: %v", what, p))
	}
}

// NotFound is the answer to a path that nothing serves.
func NotFound() *Error {
	return &Error{Code: InvalidParameter, Status: 404, Message: "No such path"}
}

// MethodNotAllowed is the answer to a method that a path does not have. Allow,
// the list of those it has, goes into the answer's Allow header too.
func MethodNotAllowed(allow string) *Error {
	return &Error{Code: InvalidParameter, Status: 405, Message: "Method not allowed, expected one of " + allow}
}
