package idp

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authtier/authtier/middleware/internal/syntax"
)

// A token is a parsed compact JWS. Nothing in it is verified yet. Its base64url has no
// padding and no unused bits. Its JSON is valid UTF-8 with exact and unrepeated member
// names.
type token struct {
	signed    string // the encoded header and payload, over which the signature is made
	head      string // the encoded header
	header    *header
	claims    Claims
	signature []byte
}

// maxToken is the largest size, in bytes, of a token.
const maxToken = 64 << 10

// The reasons why a text is not a token.
var (
	errTooLong  = fmt.Errorf("token: longer than %d bytes", maxToken)
	errSegments = errors.New("token: expected three segments, separated by dots")
	errBase64   = errors.New("token: expected base64url without padding in each segment")
	errPayload  = errors.New("payload: expected a JSON object")
	errHeader   = errors.New("header: expected a JSON object")
)

// readToken parses a token. It takes the header from known if the encoded headers are
// equal. known may be nil.
func readToken(s string, known *knownHeader) (*token, error) {
	first := strings.IndexByte(s, '.')
	last := first + 1 + strings.IndexByte(s[first+1:], '.')
	if len(s) > maxToken {
		return nil, errTooLong
	}
	if first <= 0 || last <= first || strings.IndexByte(s[last+1:], '.') >= 0 {
		return nil, errSegments
	}

	// One buffer holds both.
	payload, ok1 := syntax.AppendBase64(make([]byte, 0, len(s)-first), syntax.URLBase64, s[first+1:last])
	both, ok2 := syntax.AppendBase64(payload, syntax.URLBase64, s[last+1:])
	if !ok1 || !ok2 {
		return nil, errBase64
	}
	signature := both[len(payload):]

	t := &token{signed: s[:last], head: s[:first], signature: signature, claims: Claims{part: inClaims}}
	var err error
	if t.header, err = known.read(t.head); err != nil {
		return nil, err
	}

	if jsontext.Value(payload).Kind() != '{' {
		return nil, errPayload
	}
	if t.claims.members, err = readMembers(payload); err != nil {
		return nil, garbled("payload", err)
	}
	return t, nil
}

// issuer returns the claim iss, or "" if it is no string.
func (t *token) issuer() string {
	if v := t.claims.value("iss"); v.Kind() == '"' {
		return unquoted(v)
	}
	return ""
}

// encodedPayload returns a copy of the encoded payload. A substring would keep the whole
// token in memory.
func (t *token) encodedPayload() string { return strings.Clone(t.signed[len(t.head)+1:]) }

// A knownHeader is a header that was read before. All tokens that a key has signed have
// the same one.
type knownHeader struct {
	encoded string
	header  *header
}

// read returns the header with that encoding. k may be nil.
func (k *knownHeader) read(encoded string) (*header, error) {
	if k != nil && k.encoded == encoded {
		return k.header, nil
	}

	text, ok := syntax.DecodeBase64(syntax.URLBase64, encoded)
	if !ok {
		return nil, errBase64
	}
	if jsontext.Value(text).Kind() != '{' {
		return nil, errHeader
	}
	h := &header{}
	if err := json.Unmarshal(text, h); err != nil {
		return nil, garbled("header", err)
	}
	return h, nil
}

// garbled returns the cause for a part of a token whose JSON is not strict. It
// contains no text of the token, because the signature has not been checked yet.
func garbled(part string, err error) error {
	syntax, ok := errors.AsType[*jsontext.SyntacticError](err)
	switch {
	case !ok:
		return fmt.Errorf("%s: expected strict JSON", part)
	case errors.Is(err, jsontext.ErrDuplicateName):
		return fmt.Errorf("%s: expected strict JSON, found a repeated name at byte %d", part, syntax.ByteOffset)
	}
	return fmt.Errorf("%s: expected strict JSON, found a fault at byte %d", part, syntax.ByteOffset)
}

// withoutValue returns an error for the log that says the same as err, without
// values. It names the member at fault.
func withoutValue(err error) error {
	if e, ok := errors.AsType[*json.SemanticError](err); ok {
		return fmt.Errorf("member %q does not fit", e.JSONPointer)
	}
	return errors.New("not strict JSON")
}
