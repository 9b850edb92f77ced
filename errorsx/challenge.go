package errorsx

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// Check returns an error that names every fault of ResourceMetadata: if it is set and
// is not an absolute http or https URL without user information and fragment, or
// contains a character that a URL must escape. A program should call it when it
// starts. A nil Writer has no fault.
func (w *Writer) Check() error {
	if w == nil || w.ResourceMetadata == "" {
		return nil
	}

	var errs []error
	u, err := url.Parse(w.ResourceMetadata)
	switch {
	case err != nil:
		// The parser's error could contain a password from the URL.
		errs = append(errs, errors.New("errorsx: ResourceMetadata: the URL does not parse"))
	case u.Scheme != "https" && u.Scheme != "http", u.Hostname() == "", u.User != nil, strings.Contains(w.ResourceMetadata, "#"):
		errs = append(errs, errors.New("errorsx: ResourceMetadata: expected an absolute http or https URL without user information and fragment"))
	}
	if plain(w.ResourceMetadata) < len(w.ResourceMetadata) || strings.Contains(w.ResourceMetadata, " ") {
		errs = append(errs, errors.New("errorsx: ResourceMetadata: contains a character that a URL must escape"))
	}
	return errors.Join(errs...)
}

// challenges returns one challenge for each scheme. Only the first contains the
// error.
func (w *Writer) challenges(a *answer, scheme string, others []string) []string {
	metadata := w.metadata(a)
	b := w.appendChallenge(make([]byte, 0, 128), scheme)
	// The challenge of a request without a credential of this scheme has no error
	// (RFC 6750 section 3.1).
	if e := a.refusal; scheme == "Bearer" && e.Code != CredentialsMissing && !e.BareChallenge {
		b = appendQuoted(append(b, ", error="...), a.OAuthError)
		b = appendQuoted(append(b, ", error_description="...), a.description)
		if e.Scope != "" {
			b = appendQuoted(append(b, ", scope="...), e.Scope)
		}
	}

	all := append(make([]string, 0, 1+len(others)), string(appendMetadata(b, metadata)))
	for _, other := range others {
		all = append(all, string(appendMetadata(w.appendChallenge(nil, other), metadata)))
	}
	return all
}

// metadata returns the URL for the challenges of a, or "" if they have none.
func (w *Writer) metadata(a *answer) string {
	switch {
	case w == nil || w.ResourceMetadata == "" || a.place != Resource:
		return ""
	case a.Status == http.StatusUnauthorized, oauthError(a.place, a.refusal) == "insufficient_scope":
		return w.ResourceMetadata
	}
	return ""
}

// appendMetadata appends the parameter resource_metadata (RFC 9728 section 5.1),
// unless the URL is empty.
func appendMetadata(b []byte, metadata string) []byte {
	if metadata == "" {
		return b
	}
	return appendQuoted(append(b, ", resource_metadata="...), metadata)
}

// appendChallenge appends a challenge without an error.
func (w *Writer) appendChallenge(b []byte, scheme string) []byte {
	realm := "api"
	if w != nil && w.Realm != "" {
		realm = w.Realm
	}

	b = appendQuoted(append(append(b, scheme...), " realm="...), realm)
	if scheme == "Basic" {
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

// appendQuoted appends s as a quoted-string (RFC 9110 section 5.6.4). It leaves
// out the characters that a quoted-string cannot hold.
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
