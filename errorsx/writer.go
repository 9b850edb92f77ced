package errorsx

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
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

	// Realm is the challenge's protection space. If empty, it is "api".
	Realm string

	// Log receives the cause of every failure of ours, with the request_id that
	// the client was told. If nil, it is [slog.Default].
	Log *slog.Logger

	// Refused, if not nil, is told of every refusal, for metrics and audits.
	Refused func(r *http.Request, e *Error, status int)
}

// Resource refuses a request to a protected resource with err. It challenges
// with scheme, unless the fault is the server's or a parameter's.
//
// Others are schemes whose credentials would be accepted too. Each of them is a
// further challenge, without the error (RFC 9110 section 11.6.1).
func (w *Writer) Resource(rw http.ResponseWriter, r *http.Request, scheme Scheme, err error, others ...Scheme) {
	e := From(err)
	if e.Code.Ours() || e.Code == InvalidParameter {
		scheme, others = "", nil
	}

	around := surroundingsOf(r)
	w.inherit(around).write(rw, r, around, Resource, scheme, others, e, err)
}

// TokenEndpoint refuses a request to the token, introspection or revocation
// endpoint with err. If the status is 401, it challenges with scheme, by which
// clients authenticate there (RFC 6749 section 5.2).
func (w *Writer) TokenEndpoint(rw http.ResponseWriter, r *http.Request, scheme Scheme, err error) {
	around := surroundingsOf(r)
	w = w.inherit(around)

	e := From(err)
	if status, _ := w.dialect()(TokenEndpoint, e); status != http.StatusUnauthorized || e.Code.Ours() {
		scheme = ""
	}
	w.write(rw, r, around, TokenEndpoint, scheme, nil, e, err)
}

// Header values that all answers share, and nobody changes.
var (
	jsonType = []string{"application/json"}
	noStore  = []string{"no-store"}
	noSniff  = []string{"nosniff"}
)

func (w *Writer) write(rw http.ResponseWriter, r *http.Request, around Surroundings, p Place, scheme Scheme, others []Scheme, e *Error, cause error) {
	status, oauth := w.dialect()(p, e)
	if e.Status != 0 {
		status = e.Status
	}
	if status < 400 || status > 599 {
		status = http.StatusInternalServerError
	}
	requestID := ""
	if e.Code.Ours() {
		requestID = rand.Text()
		w.log(r, requestID, status, e, cause)
	}
	message := e.message()
	description := describe(message)
	h := rw.Header()
	h["Content-Type"], h["Cache-Control"], h["X-Content-Type-Options"] = jsonType, noStore, noSniff
	delete(h, "Content-Length")
	if scheme != "" {
		h["Www-Authenticate"] = w.challenges(scheme, others, e, oauth, description)
	}
	if e.RetryAfter > 0 || status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		seconds := max(1, (e.RetryAfter+time.Second-1)/time.Second)
		h.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	if w != nil && w.Refused != nil {
		w.Refused(r, e, status)
	}
	if around != nil {
		around.Refused(e, status)
	}
	rw.WriteHeader(status)
	rw.Write(body(e.Code, message, oauth, description, requestID)) // a client that went away is not our failure
}

// body returns the JSON object of a refusal.
func body(code Code, message, oauth, description, requestID string) []byte {
	const frame = 96 // bytes for all but the texts
	b := make([]byte, 0, frame+len(message)+len(oauth)+len(description)+len(requestID))
	b = append(strconv.AppendInt(append(b, `{"code":"AUTH-`...), int64(code), 10), '"')
	b = appendMember(append(b, ','), "message", message)
	b = appendMember(append(b, ','), "error", oauth)
	b = appendMember(append(b, ','), "error_description", description)
	if requestID != "" {
		b = appendMember(append(b, ','), "request_id", requestID)
	}
	return append(b, "}\n"...)
}

// appendMember appends a member whose name needs no escapes.
func appendMember(b []byte, name, value string) []byte {
	b = append(append(append(b, '"'), name...), `":"`...)
	n := plain(value)
	b = append(b, value[:n]...)
	for _, r := range value[n:] { // what is not UTF-8 becomes U+FFFD
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ':
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
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

// challenges returns one challenge for each scheme, of which the first tells of
// the error.
func (w *Writer) challenges(scheme Scheme, others []Scheme, e *Error, oauth, description string) []string {
	b := w.appendChallenge(make([]byte, 0, 128), scheme)
	if scheme == SchemeBearer && e.Code != CredentialsMissing && !e.NoError {
		b = appendQuoted(append(b, ", error="...), oauth)
		b = appendQuoted(append(b, ", error_description="...), description)
		if e.Scope != "" {
			b = appendQuoted(append(b, ", scope="...), e.Scope)
		}
	}
	all := append(make([]string, 0, 1+len(others)), string(b))
	for _, other := range others {
		all = append(all, string(w.appendChallenge(nil, other)))
	}
	return all
}

// appendChallenge appends a challenge without an error.
func (w *Writer) appendChallenge(b []byte, scheme Scheme) []byte {
	realm := "api"
	if w != nil && w.Realm != "" {
		realm = w.Realm
	}
	b = appendQuoted(append(append(b, scheme...), " realm="...), realm)
	if scheme == SchemeBasic {
		b = append(b, `, charset="UTF-8"`...)
	}
	return b
}

// describe reduces s to the characters that RFC 6749 section 5.2 allows in
// error_description: printable ASCII without quotes and backslashes.
func describe(s string) string {
	if plain(s) == len(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s)
}

// appendQuoted appends s as a quoted-string (RFC 9110 section 5.6.4), without the
// characters that none may hold.
func appendQuoted(b []byte, s string) []byte {
	n := plain(s)
	b = append(append(b, '"'), s[:n]...)
	for _, r := range s[n:] {
		if r == '"' || r == '\\' {
			b = append(b, '\\')
		}
		if r >= ' ' && r != 0x7f {
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}

// plain returns how many bytes at the beginning of s need no escape in JSON, in a
// quoted-string and in an error_description.
func plain(s string) int {
	for i := range len(s) {
		if !plainBytes[s[i]] {
			return i
		}
	}
	return len(s)
}

var plainBytes = func() (t [256]bool) {
	for c := ' '; c <= '~'; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()
