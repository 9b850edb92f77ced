package errorsx

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"unicode/utf8"
)

// A Refusal is the data that the body of an answer may contain. It contains nothing
// of the cause.
type Refusal struct {
	Code       Code
	Status     int    // the HTTP status
	Message    string // for people
	OAuthError string // the error of RFC 6749 section 5.2 or RFC 6750 section 3.1

	// RequestID is the ID under which a failure of the server is logged. It is
	// empty for all other refusals.
	RequestID string
}

// body returns the body of an answer and sets its content type in h. id is the
// request's ID in the log, or empty if it has none.
func (w *Writer) body(r *http.Request, a *answer, id string, h http.Header) []byte {
	if w == nil || w.Body == nil || a.place != Resource {
		return standardBody(a)
	}

	// A fault of the user's function must not change the refusal, so it is only
	// logged.
	contentType, body, err := render(w.Body, a.Refusal)
	if err != nil {
		if id == "" {
			id = rand.Text()
		}
		w.logCause(r, slog.LevelError, "authtier: the body of an answer could not be rendered", id, a, err)
	}
	if err != nil || contentType == "" {
		return standardBody(a)
	}
	h["Content-Type"] = []string{contentType}
	return body
}

// render calls the user's function. It returns a panic as an error.
func render(f func(Refusal) (string, []byte), refusal Refusal) (contentType string, body []byte, err error) {
	defer Recovered("errorsx: Writer.Body", &err)
	contentType, body = f(refusal)
	return contentType, body, nil
}

// standardBody returns the JSON object of an answer.
func standardBody(a *answer) []byte {
	const frame = 96 // bytes for everything but the texts
	b := make([]byte, 0, frame+len(a.Message)+len(a.OAuthError)+len(a.description)+len(a.RequestID))

	b = append(strconv.AppendInt(append(b, `{"code":"AUTH-`...), int64(a.Code), 10), '"')
	// If describe removed nothing, the message needs no escapes.
	if len(a.description) == len(a.Message) {
		b = append(append(append(b, `,"message":"`...), a.Message...), '"')
		b = appendMember(append(b, ','), "error", a.OAuthError)
		b = append(append(append(b, `,"error_description":"`...), a.Message...), '"')
	} else {
		b = appendMember(append(b, ','), "message", a.Message)
		b = appendMember(append(b, ','), "error", a.OAuthError)
		b = appendMember(append(b, ','), "error_description", a.description)
	}
	if a.RequestID != "" {
		b = appendMember(append(b, ','), "request_id", a.RequestID)
	}
	return append(b, "}\n"...)
}

// appendMember appends a JSON member. The name must not need escapes. Bytes of
// the value that are not UTF-8 become U+FFFD.
func appendMember(b []byte, name, value string) []byte {
	b = append(append(append(b, '"'), name...), `":"`...)
	n := plain(value)
	b = append(b, value[:n]...)

	for _, r := range value[n:] {
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
