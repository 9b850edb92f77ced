// Package errorsx defines refusals and renders them as JSON answers.
//
//	h := middleware.Errors(&errorsx.Writer{Dialect: errorsx.RFC})(errorsx.Mux(mux))
//	return nil, errorsx.CredentialsIncorrect // in a validator
//
// Wrappers and handlers refuse a request with an [*Error] or a bare [Code]. A
// [Writer] turns it into the JSON answer:
//
//	{"code":"AUTH-12","message":"Invalid token","error":"invalid_token","error_description":"Invalid token"}
//
// Members code and message are for people and for clients of this suite. Members
// error and error_description are for every OAuth 2.0 client (RFC 6749 section
// 5.2, RFC 6750 section 3.1). A [Dialect] chooses the HTTP status: [Table], the
// default, or [RFC]. [Mux] answers an unknown path and a wrong method of a mux in
// the same form.
//
// An error that is neither an [*Error] nor a [Code] is a failure of the server.
// The answer is AUTH-8, and the error's text goes only to the log.
package errorsx

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// An Error refuses a request. Its code and message are sent to the client. Its
// cause is for the operator's log. An Error must not be changed once it is
// returned.
type Error struct {
	Code Code

	// Message names the header or parameter at fault and the expectation. It must
	// not contain a value from the request. If empty, it is the code's own. The
	// message of a failure of the server is never sent.
	Message string

	// OAuthError is the error of RFC 6749 section 5.2 or RFC 6750 section 3.1. If
	// empty, the dialect chooses it by code and place.
	OAuthError string

	// Scope is the challenge's scope attribute: the required scopes, separated by
	// spaces.
	Scope string

	// Client is the client whose genuine credential was refused, or empty if no
	// client was authenticated. It is for hooks and logs and is never sent.
	Client string

	// Status, if not 0, is the HTTP status in every dialect.
	Status int

	// BareChallenge leaves the error out of the challenge, because the request had no
	// credential of the expected scheme (RFC 6750 section 3.1).
	BareChallenge bool

	// RetryAfter is the answer's Retry-After, rounded up to whole seconds. If it is
	// not positive, Retry-After is one second with status 429 and 503, and absent
	// otherwise.
	RetryAfter time.Duration

	// Err is the cause, or nil. It is logged and never sent. It must not contain a
	// credential.
	Err error
}

// Error returns the code, the message and the cause, for logs.
func (e *Error) Error() string {
	if e == nil { // a nil *Error in an error interface
		return Internal.String() + ": " + messages[Internal]
	}
	s := e.Code.String() + ": " + cmp.Or(e.Message, e.message())
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the code and the cause, for [errors.Is] and [errors.AsType].
func (e *Error) Unwrap() []error {
	if e == nil {
		return nil
	}
	if e.Err == nil {
		return []error{e.Code}
	}
	return []error{e.Code, e.Err}
}

// message returns the message that is sent.
func (e *Error) message() string {
	switch {
	case !e.Code.valid():
		return messages[Internal]
	case e.Message == "" || e.Code.IsServerError():
		return messages[e.Code]
	}
	return e.Message
}

// From returns the refusal that err is or wraps. A [Code] refuses like an Error
// with that code. Any other err is a failure of the server, AUTH-8.
//
// The Error may be shared with other refusals and must not be changed.
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

// bare holds an Error for each code that is refused without anything else.
var bare = func() (es [len(messages)]Error) {
	for i := range es {
		es[i] = Error{Code: Code(i)}
	}
	return es
}()

// Fault returns an AUTH-8 error for a fault in wiring or for a panic. Unlike the
// failure of a store, such a fault is permanent. Its OAuth error is therefore
// server_error, and the [RFC] dialect answers 500 instead of 503.
func Fault(err error) *Error {
	return &Error{Code: Internal, OAuthError: "server_error", Err: err}
}

// Recovered turns a panic into a [Fault] and stores it in *err. A function that calls
// a user's code must defer it. The argument what names that code. A panic with
// [http.ErrAbortHandler] is passed on.
func Recovered(what string, err *error) {
	switch p := recover(); p {
	case nil:
	case http.ErrAbortHandler:
		panic(p)
	default:
		*err = Fault(fmt.Errorf("%s panicked: %v", what, p))
	}
}

// Forbidden returns an AUTH-7 error with status 403 in every dialect and that message for
// the client. It is for checks of what a request may do, see middleware.Require.
func Forbidden(message string) *Error {
	return &Error{Code: ScopeNotAuthorized, Status: 403, Message: message}
}

// NotFound returns the refusal of a path that nothing serves.
func NotFound() *Error {
	return &Error{Code: InvalidParameter, Status: 404, Message: "No such path"}
}

// MethodNotAllowed returns the refusal of a method that a path does not support.
// allow lists the supported methods. The caller must send it as the Allow header too.
func MethodNotAllowed(allow string) *Error {
	return &Error{Code: InvalidParameter, Status: 405, Message: "Method not allowed, expected one of " + allow}
}
