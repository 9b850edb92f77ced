package middleware

import (
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware/internal/syntax"
)

// one returns the only value of the header with that canonical name, which may have at
// most that many bytes. An empty value counts as missing. Several values are malformed,
// even if one of them is empty.
func one(h http.Header, name string, most int) (string, error) {
	switch v := h[name]; {
	case len(v) == 0 || len(v) == 1 && v[0] == "":
		return "", missing(name)
	case len(v) > 1:
		return "", malformed(name, "more than one value")
	case len(v[0]) > most:
		return "", malformed(name, fmt.Sprintf("more than %d bytes", most))
	default:
		return v[0], nil
	}
}

func missing(name string) error {
	return &errorsx.Error{Code: errorsx.CredentialsMissing, Message: `Missing "` + shown(name) + `" header`}
}

func malformed(name, why string) error {
	return &errorsx.Error{
		Code:    errorsx.CredentialsMalformed,
		Message: `Invalid "` + shown(name) + `" header: ` + why,
	}
}

// shown returns a canonical header name in the spelling of the documentation.
func shown(name string) string {
	if name == apiKeyHeader {
		return "X-API-KEY"
	}
	return name
}

// headerName returns the canonical form of name, or of def if name is empty. It
// returns an error that names the field if it is not a valid header name. Requests
// have no header of the name Host, because net/http moves it into another field.
func headerName(field, name, def string) (string, error) {
	if name == "" {
		name = def
	}
	canonical := http.CanonicalHeaderKey(name)
	if !validHeaderName(name) || canonical == "Host" || canonical == "Cookie" && field != "Vary" {
		return canonical, fmt.Errorf("%s: %q is not a header name, or not one that holds one credential", field, name)
	}
	return canonical, nil
}

// validHeaderName reports whether name is a valid header name (RFC 9110 section 5.1).
func validHeaderName(name string) bool {
	for i := range len(name) {
		if !syntax.TokenChar(name[i]) {
			return false
		}
	}
	return name != ""
}

// afterScheme returns the text after the scheme and its spaces, which may be empty.
// The scheme is compared without regard to case (RFC 9110 section 11.1). With another
// scheme, the challenge of the refusal contains no error.
func afterScheme(name, value, scheme string) (string, error) {
	if n := len(scheme); len(value) > n+1 && value[:n] == scheme && value[n] == ' ' && value[n+1] != ' ' {
		// Most clients write exactly this form, so no comparison without case is
		// needed.
		return value[n+1:], nil
	}
	got, rest, _ := strings.Cut(value, " ")
	if isScheme(got, scheme) {
		return strings.TrimLeft(rest, " "), nil
	}
	return "", wrongScheme(name, got, scheme)
}

func isScheme(got, scheme string) bool {
	return len(got) == len(scheme) && strings.EqualFold(got, scheme)
}

// wrongScheme returns the refusal of a header that has another scheme, or none.
func wrongScheme(name, got, expected string) error {
	err := &errorsx.Error{
		Code:          errorsx.CredentialsMalformed,
		Message:       fmt.Sprintf("Invalid %q header: expected the scheme %s", shown(name), expected),
		BareChallenge: true,
	}

	// A value that does not begin with a scheme is malformed. Its challenge says so
	// (RFC 6750 section 3.1).
	for i := range len(got) {
		if !syntax.TokenChar(got[i]) {
			err.BareChallenge = false
		}
	}
	return err
}

// basicUserPass returns the user-id and the password in a header value (RFC 7617
// section 2). Either may be empty.
func basicUserPass(name, value string) (user, password string, err error) {
	encoded, err := afterScheme(name, value, "Basic")
	if err != nil {
		return "", "", err
	}

	var stack [128]byte
	b, ok := syntax.AppendBase64(stack[:0], syntax.StdBase64, encoded)
	if !ok || encoded == "" {
		return "", "", malformed(name, "expected padded base64 after the scheme Basic")
	}

	decoded := string(b)
	if !syntax.Printable(decoded) && (!utf8.ValidString(decoded) || strings.ContainsFunc(decoded, unicode.IsControl)) {
		return "", "", malformed(name, "expected UTF-8 without control characters")
	}

	user, password, ok = strings.Cut(decoded, ":")
	if !ok {
		return "", "", malformed(name, "expected a colon between user-id and password")
	}
	return user, password, nil
}

// fitsHeader reports whether a secret consists of characters that its scheme allows
// in a header. It is true for a Basic credential, which was checked when it was
// decoded.
func fitsHeader(scheme Scheme, secret string) bool {
	switch scheme {
	case SchemeBearer:
		return syntax.Token68(secret)
	case SchemeAPIKey:
		return syntax.Printable(secret)
	}
	return true
}
