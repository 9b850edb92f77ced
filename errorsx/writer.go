package errorsx

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"
)

// A Writer answers refused requests. The zero value is ready to use: it answers
// in the [Table] dialect with the realm "api". A nil *Writer answers like the
// nearest Writer outside of the handler ([Surroundings]), or like the zero value
// if there is none.
//
// A Writer must not be changed once it is in use. Its methods are then safe for
// concurrent use.
type Writer struct {
	// Dialect chooses statuses. If nil, it is [Table].
	Dialect Dialect

	// Realm is the protection space that challenges name. If empty, it is "api".
	Realm string

	// ResourceMetadata is the URL of the protected resource's metadata (RFC 9728).
	// If it is not empty, each challenge of a 401 and of an insufficient scope
	// carries it as resource_metadata. The token endpoint never sends it. [Check]
	// tells whether it is a usable URL; a challenge quotes it whatever it is.
	//
	// [Check]: Writer.Check
	ResourceMetadata string

	// Body renders the body of an answer at a resource, for example as problem
	// details (RFC 9457). It returns the content type and the body. The status and
	// all other headers stay as they are.
	//
	// If Body is nil, panics or returns an empty content type, the standard body
	// is sent. A panic is logged. Body must be safe for concurrent use. It does not
	// render answers of the token endpoint, whose form RFC 6749 prescribes.
	Body func(Refusal) (contentType string, body []byte)

	// Log receives the causes of refusals. If nil, it is [slog.Default].
	//
	// A failure of the server is logged at level Error, with the request_id that
	// the answer contains too; if the client went away, at level Debug. Any other
	// refusal that has a cause is logged at level Debug, with a request_id that
	// the answer does not contain.
	Log *slog.Logger
}

// Refuse refuses a request to a protected resource with err. It challenges with
// scheme, unless scheme is empty or the fault is the server's or a parameter's.
//
// others are further schemes that the resource accepts. Each of them adds a challenge
// without the error (RFC 9110 section 11.6.1).
func (w *Writer) Refuse(rw http.ResponseWriter, r *http.Request, scheme string, err error, others ...string) {
	around := surroundingsOf(r)
	w = w.inherit(around)
	var a answer
	w.decide(&a, Resource, err)

	if scheme != "" && !a.Code.IsServerError() && a.Code != InvalidParameter {
		rw.Header()["Www-Authenticate"] = w.challenges(&a, scheme, others)
	}
	w.send(rw, r, around, &a)
}

// RefuseAtTokenEndpoint refuses a request to the token, introspection or revocation endpoint
// with err. If the status is 401, it challenges with scheme, the scheme by which
// clients authenticate there (RFC 6749 section 5.2).
func (w *Writer) RefuseAtTokenEndpoint(rw http.ResponseWriter, r *http.Request, scheme string, err error) {
	around := surroundingsOf(r)
	w = w.inherit(around)
	var a answer
	w.decide(&a, TokenEndpoint, err)

	if scheme != "" && a.Status == http.StatusUnauthorized && !a.Code.IsServerError() {
		rw.Header()["Www-Authenticate"] = w.challenges(&a, scheme, nil)
	}
	w.send(rw, r, around, &a)
}

// An answer is a refusal on its way to the client.
type answer struct {
	Refusal
	place       Place
	description string // error_description
	refusal     *Error
	cause       error // the error that the caller passed
}

// decide sets a to the answer for err at place p.
func (w *Writer) decide(a *answer, p Place, err error) {
	e := From(err)
	dialect := Table
	if w != nil && w.Dialect != nil {
		dialect = w.Dialect
	}

	status, oauth := dialect(p, e)
	if e.Status != 0 {
		status = e.Status
	}
	if status < 400 || status > 599 {
		status = http.StatusInternalServerError
	}

	a.Code, a.Status, a.Message, a.OAuthError = e.Code, status, e.message(), oauth
	a.place, a.refusal, a.cause = p, e, err
	a.description = describe(a.Message)
}

// Header values that all answers share. They must not be changed.
var (
	jsonType = []string{"application/json"}
	noStore  = []string{"no-store"}
	noSniff  = []string{"nosniff"}
)

// send logs the answer, reports it to the surroundings and writes it.
func (w *Writer) send(rw http.ResponseWriter, r *http.Request, around Surroundings, a *answer) {
	id := w.report(r, a)
	if a.Code.IsServerError() {
		a.RequestID = id
	}

	h := rw.Header()
	h["Content-Type"], h["Cache-Control"], h["X-Content-Type-Options"] = jsonType, noStore, noSniff
	delete(h, "Content-Length")
	if after := a.refusal.RetryAfter; after > 0 || a.Status == http.StatusTooManyRequests || a.Status == http.StatusServiceUnavailable {
		seconds := max(1, (after+time.Second-1)/time.Second)
		h.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}

	if around != nil {
		around.Refused(a.refusal, a.Status)
	}

	body := w.body(r, a, id, h)
	rw.WriteHeader(a.Status)
	// An error means that the client is gone, and nothing is left to do.
	rw.Write(body)
}

// report logs why a request is refused, and returns the request's ID in the log.
// If the client is at fault, it logs nothing and returns "" unless there is a
// cause and level Debug is enabled.
func (w *Writer) report(r *http.Request, a *answer) (id string) {
	switch {
	case !a.Code.IsServerError():
		if a.refusal.Err == nil || !w.log().Enabled(r.Context(), slog.LevelDebug) {
			return ""
		}
		id = rand.Text()
		w.logCause(r, slog.LevelDebug, "authtier: request refused", id, a, a.cause)
	case errors.Is(r.Context().Err(), context.Canceled):
		id = rand.Text()
		w.logCause(r, slog.LevelDebug, "authtier: request failed", id, a, a.cause)
	default:
		id = rand.Text()
		w.logCause(r, slog.LevelError, "authtier: request failed", id, a, a.cause)
	}
	return id
}

func (w *Writer) log() *slog.Logger {
	if w == nil || w.Log == nil {
		return slog.Default()
	}
	return w.Log
}

func (w *Writer) logCause(r *http.Request, level slog.Level, message, id string, a *answer, cause error) {
	w.log().LogAttrs(r.Context(), level, message,
		slog.String("request_id", id), slog.String("code", a.Code.String()), slog.Int("status", a.Status),
		slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.String("client", a.refusal.Client),
		slog.Any("cause", cause))
}
