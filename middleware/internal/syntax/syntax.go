// Package syntax holds the grammar of credentials in header fields (RFC 9110 sections
// 5.6 and 11) and of their base64.
package syntax

import (
	"encoding/base64"
	"strings"
)

// MaxCredential is the largest size, in bytes, of a credential's header value or of a
// token in the query.
const MaxCredential = 8 << 10

// The base64 encodings of credentials. Unused bits must be zero.
var (
	StdBase64 = base64.StdEncoding.Strict()
	URLBase64 = base64.RawURLEncoding.Strict()
)

// DecodeBase64 decodes s, which must be the only spelling of its bytes in a strict
// encoding. It refuses line breaks, which the standard library skips.
func DecodeBase64(strict *base64.Encoding, s string) ([]byte, bool) {
	return AppendBase64(nil, strict, s)
}

// AppendBase64 is like DecodeBase64 and appends the result to b.
func AppendBase64(b []byte, strict *base64.Encoding, s string) ([]byte, bool) {
	if strings.IndexByte(s, '\n') >= 0 || strings.IndexByte(s, '\r') >= 0 {
		return nil, false
	}
	b, err := strict.AppendDecode(b, []byte(s))
	return b, err == nil
}

// Token68 reports whether s is a token68 (RFC 9110 section 11.2).
func Token68(s string) bool {
	body := strings.TrimRight(s, "=")
	for i := range len(body) {
		if !token68Chars[body[i]] {
			return false
		}
	}
	return body != ""
}

var token68Chars = func() (t [256]bool) {
	for c := range t {
		t[c] = Alphanumeric(byte(c)) || strings.IndexByte("-._~+/", byte(c)) >= 0
	}
	return t
}()

// TokenChar reports whether c may occur in a token (RFC 9110 section 5.6.2). Schemes
// and header names are tokens.
func TokenChar(c byte) bool {
	return Alphanumeric(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// Alphanumeric reports whether c is an ASCII letter or digit.
func Alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// Printable reports whether s is printable ASCII, which includes the space.
func Printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
