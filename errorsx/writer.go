package errorsx

import (
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A Scheme is an authentication scheme (RFC 9110 section 11.1). To challenge with
// the empty scheme is not to challenge.
type Scheme string

// The schemes of this suite. APIKey is not registered; a Basic challenge in its
// place would open a browser's password dialog.
const (
	SchemeBasic  Scheme = "Basic"
	SchemeBearer Scheme = "Bearer"
	SchemeAPIKey Scheme = "ApiKey"
)

// A Writer answers refused requests. The zero value, and a nil *Writer, answer
// in the [Table] dialect with the realm "api". A Writer is not changed once it
// is in use; its methods may then be called concurrently.
type Writer struct {
	// Dialect chooses statuses. If nil, it is [Table].
	Dialect Dialect

	// Realm is the challenge's protection space. If empty, it is "api".
	Realm string

	// Log receives the cause of every failure of ours, with the request_id that
	// the client was told. If nil, it is [slog.Default].
	Log *slog.Logger

	// Refused, if not nil, is told of every refusal, for metrics and audits.
	Refused func(r *http.Request, e *Error, status int)
}

// Resource refuses a request to a protected resource with err, and challenges
// with scheme unless the fault is ours or a parameter's.
func (w *Writer) Resource(rw http.ResponseWriter, r *http.Request, scheme Scheme, err error) {
	e := From(err)
	if e.Code.Ours() || e.Code == InvalidParameter {
		scheme = ""
	}
	w.write(rw, r, Resource, scheme, e, err)
}

// TokenEndpoint refuses a request to the token, introspection or revocation
// endpoint with err. Where that is a 401, it challenges with scheme, by which
// clients authenticate there (RFC 6749 section 5.2).
func (w *Writer) TokenEndpoint(rw http.ResponseWriter, r *http.Request, scheme Scheme, err error) {
	e := From(err)
	if status, _ := w.dialect()(TokenEndpoint, e); status != http.StatusUnauthorized || e.Code.Ours() {
		scheme = ""
	}
	w.write(rw, r, TokenEndpoint, scheme, e, err)
}

type body struct {
	Code        string `json:"code"`
	Message     string `json:"message"`
	Error       string `json:"error"`
	Description string `json:"error_description"`
	RequestID   string `json:"request_id,omitempty"`
}

func (w *Writer) write(rw http.ResponseWriter, r *http.Request, p Place, scheme Scheme, e *Error, cause error) {
	status, oauth := w.dialect()(p, e)
	if e.Status != 0 {
		status = e.Status
	}
	if status < 400 || status > 599 {
		status = http.StatusInternalServerError
	}
	b := body{Code: e.Code.String(), Message: e.message(), Error: oauth, Description: describe(e.message())}
	if e.Code.Ours() {
		b.RequestID = rand.Text()
		w.log(r, b.RequestID, status, e, cause)
	}
	h := rw.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Del("Content-Length")
	if scheme != "" {
		h.Set("WWW-Authenticate", w.challenge(scheme, e, b))
	}
	if e.RetryAfter > 0 || status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		seconds := max(1, (e.RetryAfter+time.Second-1)/time.Second)
		h.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	if w != nil && w.Refused != nil {
		w.Refused(r, e, status)
	}
	rw.WriteHeader(status)
	json.NewEncoder(rw).Encode(b) // a client that went away is not our failure
}

func (w *Writer) dialect() Dialect {
	if w == nil || w.Dialect == nil {
		return Table
	}
	return w.Dialect
}

// log tells the operator of a failure of ours, and says less of one that only
// means that the client went away.
func (w *Writer) log(r *http.Request, id string, status int, e *Error, cause error) {
	log, level := slog.Default(), slog.LevelError
	if w != nil && w.Log != nil {
		log = w.Log
	}
	if r.Context().Err() != nil {
		level = slog.LevelDebug
	}
	log.LogAttrs(r.Context(), level, "authtier: request failed",
		slog.String("request_id", id), slog.String("code", e.Code.String()), slog.Int("status", status),
		slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.String("client", e.Client),
		slog.Any("cause", cause))
}

func (w *Writer) challenge(scheme Scheme, e *Error, b body) string {
	realm := "api"
	if w != nil && w.Realm != "" {
		realm = w.Realm
	}
	c := string(scheme) + " realm=" + quote(realm)
	switch {
	case scheme == SchemeBasic:
		return c + `, charset="UTF-8"`
	case scheme != SchemeBearer:
		return c
	case e.Code == CredentialsMissing || e.NoError:
		return c
	}
	c += ", error=" + quote(b.Error) + ", error_description=" + quote(b.Description)
	if e.Scope != "" {
		c += ", scope=" + quote(e.Scope)
	}
	return c
}

// describe reduces s to the characters that RFC 6749 section 5.2 allows in
// error_description: printable ASCII without quotes and backslashes.
func describe(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s)
}

// quote returns s as a quoted-string (RFC 9110 section 5.6.4), without the
// characters that none may hold.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		if r == '"' || r == '\\' {
			b.WriteByte('\\')
		}
		if r >= ' ' && r != 0x7f {
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
