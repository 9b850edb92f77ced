package idp

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authtier/authtier/middleware/internal/syntax"
)

// A received token is a compact JWS that was parsed strictly and is not verified yet.
type received struct {
	signed, head string // the encoded header and payload, and the encoded header
	header       header
	claims       Claims
	signature    []byte
}

// maxToken is the largest size, in bytes, of a token.
const maxToken = 64 << 10

// readToken parses a token. Its base64url must have no padding and no unused bits, and
// its JSON exact and unrepeated member names.
func readToken(s string) (*received, error) {
	if len(s) > maxToken {
		return nil, fmt.Errorf("token: longer than %d bytes", maxToken)
	}
	first := strings.IndexByte(s, '.')
	last := first + 1 + strings.IndexByte(s[first+1:], '.')
	if first <= 0 || last <= first || strings.IndexByte(s[last+1:], '.') >= 0 {
		return nil, errSegments
	}

	signature, ok1 := syntax.DecodeBase64(syntax.URLBase64, s[last+1:])
	payload, ok2 := syntax.DecodeBase64(syntax.URLBase64, s[first+1:last])
	if !ok1 || !ok2 {
		return nil, errBase64
	}

	t := &token{head: s[:first]}
	if err := t.readHeader(); err != nil {
		return nil, err
	}
	if jsontext.Value(payload).Kind() != '{' {
		return nil, errPayload
	}
	claims, err := parseClaims(payload)
	if err != nil {
		return nil, garbled("payload", err)
	}
	return &received{signed: s[:last], head: s[:first], header: *t.header, claims: claims, signature: signature}, nil
}

// issuer returns the claim iss, or "" if it is no string.
func (r *received) issuer() string {
	if v := r.claims.value("iss"); v.Kind() == '"' {
		return unquoted(v)
	}
	return ""
}
