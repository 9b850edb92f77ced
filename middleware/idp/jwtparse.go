package idp

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authtier/authtier/middleware/internal/syntax"
)

// A token is a parsed compact JWS. Nothing in it is verified yet. Its base64url has
// no padding and no unused bits. Its JSON is valid UTF-8 with exact and unrepeated
// member names.
type token struct {
	signed    string // the encoded header and payload, over which the signature is made
	head      string // the encoded header
	header    *header
	claims    payload
	signature []byte
}

// The reasons why a text is not a token.
var (
	errTooLong  = fmt.Errorf("token: longer than %d bytes", syntax.MaxCredential)
	errSegments = errors.New("token: expected three segments, separated by dots")
	errBase64   = errors.New("token: expected base64url without padding in each segment")
	errPayload  = errors.New("payload: expected a JSON object")
	errHeader   = errors.New("header: expected a JSON object")
)

// parseJWT parses a token. It takes the header from known if the encoded headers are
// equal. known may be nil.
func parseJWT(s string, known *knownHeader) (*token, error) {
	first := strings.IndexByte(s, '.')
	last := first + 1 + strings.IndexByte(s[first+1:], '.')
	if len(s) > syntax.MaxCredential {
		return nil, errTooLong
	}
	if first <= 0 || last <= first || strings.IndexByte(s[last+1:], '.') >= 0 {
		return nil, errSegments
	}

	signature, ok1 := syntax.DecodeBase64(syntax.URLBase64, s[last+1:])
	claims, ok2 := syntax.DecodeBase64(syntax.URLBase64, s[first+1:last])
	if !ok1 || !ok2 {
		return nil, errBase64
	}

	t := &token{signed: s[:last], head: s[:first], signature: signature}
	if known != nil && known.encoded == t.head {
		t.header = known.header
	} else if err := t.readHeader(); err != nil {
		return nil, err
	}

	if jsontext.Value(claims).Kind() != '{' {
		return nil, errPayload
	}
	if err := json.Unmarshal(claims, &t.claims); err != nil {
		return nil, garbled("payload", err)
	}
	return t, nil
}

// A knownHeader is a header that was read before.
type knownHeader struct {
	encoded string
	header  *header
}

func (t *token) readHeader() error {
	head, ok := syntax.DecodeBase64(syntax.URLBase64, t.head)
	if !ok {
		return errBase64
	}
	if jsontext.Value(head).Kind() != '{' {
		return errHeader
	}

	t.header = &header{}
	if err := json.Unmarshal(head, t.header); err != nil {
		return garbled("header", err)
	}
	return nil
}

// encodedPayload returns a copy of the encoded payload. A substring would keep the
// whole token in memory.
func (t *token) encodedPayload() string { return strings.Clone(t.signed[len(t.head)+1:]) }

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

// header is a JOSE header (RFC 7515 section 4). Members are kept as raw JSON. A
// member of a wrong JSON type then counts as a wrong key (AUTH-10), not as a garbled
// token (AUTH-12).
type header struct {
	Alg value `json:"alg"`
	Kid value `json:"kid"`
	Typ value `json:"typ"`

	// A token with one of these members is refused: extensions, encryption, and keys
	// in the token.
	Crit value `json:"crit"`
	B64  value `json:"b64"`
	Zip  value `json:"zip"`
	Enc  value `json:"enc"`
	Jku  value `json:"jku"`
	X5u  value `json:"x5u"`
	Jwk  value `json:"jwk"`
	X5c  value `json:"x5c"`
	X5t  value `json:"x5t"`
}

// key returns the ID and the algorithm of the key that the header asks for.
func (h *header) key() (kid, alg string, err error) {
	for i, v := range []value{h.Crit, h.B64, h.Zip, h.Enc, h.Jku, h.X5u, h.Jwk, h.X5c} {
		if v != nil {
			name := [...]string{"crit", "b64", "zip", "enc", "jku", "x5u", "jwk", "x5c"}[i]
			return "", "", v.fault(name, words("no such member"))
		}
	}

	alg, ok := h.Alg.text()
	if !ok {
		return "", "", h.Alg.fault("alg", wantString)
	}
	if h.Kid != nil {
		if kid, ok = h.Kid.text(); !ok || kid == "" {
			return "", "", h.Kid.fault("kid", wantFilled)
		}
	}
	return kid, alg, nil
}

// asked returns the ID and the algorithm of the key that the header asks for, by the
// rules for other issuers' tokens. hints says that the header names certificates or a URL
// of keys. These are never used, and are harmless beside the ID of a known key.
func (h *header) asked() (kid, alg string, hints bool, err error) {
	bare := *h
	hints = h.Jku != nil || h.X5c != nil || h.X5t != nil
	bare.Jku, bare.X5c = nil, nil
	kid, alg, err = bare.key()
	return kid, alg, hints, err
}

// fault returns the fault of a header member of that name.
func (v value) fault(name string, want fmt.Stringer) *tokenFault {
	s, ok := v.text()
	switch {
	case v == nil:
		return newFault(inHeader, name, want, 0)
	case !ok:
		return newFault(inHeader, name, want, jsontext.Value(v).Kind())
	}
	return newFault(inHeader, name, want, '"', s)
}

// value is raw JSON, or nil if the member is absent.
type value jsontext.Value

// UnmarshalJSON stores a copy of b.
func (v *value) UnmarshalJSON(b []byte) error {
	*v = append(value{}, b...)
	return nil
}

func (v value) text() (string, bool) {
	if jsontext.Value(v).Kind() != '"' {
		return "", false
	}
	s, err := jsontext.AppendUnquote(nil, v)
	return string(s), err == nil
}

// is reports whether v, a typ, is one of types. An absent typ is the empty type.
func (v value) is(types []string) bool {
	s, ok := v.text()
	if v != nil && (!ok || s == "") {
		return false
	}
	return slices.Contains(types, mediaType(s))
}

// mediaType returns a typ in the form in which it is compared (RFC 7515 section
// 4.1.9).
func mediaType(s string) string {
	s = strings.ToLower(s)
	return strings.TrimPrefix(s, "application/")
}
