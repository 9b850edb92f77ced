package middleware

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A token is a compact JWS in its one spelling. Its JSON is strict: UTF-8,
// exact and unrepeated member names. Nothing in it is believed yet.
type token struct {
	signed    string // header and payload, as they are signed
	head      string // the header, as it is encoded
	header    *header
	claims    payload
	signature []byte
}

var errSpelling = errors.New("not a compact JWS in its one spelling")

// parseJWT reads a token. Known, if it is the header as encoded, needs no second
// reading; it may be nil.
func parseJWT(s string, known *knownHeader) (*token, error) {
	first := strings.IndexByte(s, '.')
	last := first + 1 + strings.IndexByte(s[first+1:], '.')
	if len(s) > maxCredential || first <= 0 || last <= first || strings.IndexByte(s[last+1:], '.') >= 0 {
		return nil, errSpelling
	}
	signature, ok1 := decodeBase64(strictURL, s[last+1:])
	claims, ok2 := decodeBase64(strictURL, s[first+1:last])
	if !ok1 || !ok2 {
		return nil, errSpelling
	}
	t := &token{signed: s[:last], head: s[:first], signature: signature}
	if known != nil && known.encoded == t.head {
		t.header = known.header
	} else if err := t.readHeader(); err != nil {
		return nil, err
	}
	if jsontext.Value(claims).Kind() != '{' {
		return nil, errors.New("payload: not a JSON object")
	}
	if err := json.Unmarshal(claims, &t.claims); err != nil {
		return nil, fmt.Errorf("payload: %w", withoutValue(err))
	}
	return t, nil
}

// A knownHeader is a header that was read before.
type knownHeader struct {
	encoded string
	header  *header
}

func (t *token) readHeader() error {
	head, ok := decodeBase64(strictURL, t.head)
	if !ok {
		return errSpelling
	}
	if jsontext.Value(head).Kind() != '{' {
		return errors.New("header: not a JSON object")
	}
	t.header = &header{}
	if err := json.Unmarshal(head, t.header); err != nil {
		return fmt.Errorf("header: %w", withoutValue(err))
	}
	return nil
}

// encodedPayload returns the payload as it stands in the token, and keeps nothing
// else of the token alive.
func (t *token) encodedPayload() string { return strings.Clone(t.signed[len(t.head)+1:]) }

// withoutValue keeps what the token says out of an error that may be logged.
func withoutValue(err error) error {
	if e, ok := errors.AsType[*json.SemanticError](err); ok {
		return fmt.Errorf("member %q does not fit", e.JSONPointer)
	}
	return errors.New("not strict JSON")
}

// header is a JOSE header (RFC 7515 section 4). Members are kept as they are:
// one of a wrong JSON type is a key that does not fit, not a garbled token.
type header struct {
	Alg value `json:"alg"`
	Kid value `json:"kid"`
	Typ value `json:"typ"`

	// What is never followed: keys that the token brings along, and extensions.
	Crit value `json:"crit"`
	B64  value `json:"b64"`
	Zip  value `json:"zip"`
	Enc  value `json:"enc"`
	Jku  value `json:"jku"`
	X5u  value `json:"x5u"`
	Jwk  value `json:"jwk"`
	X5c  value `json:"x5c"`
}

// key returns which key the header asks for.
func (h *header) key() (kid, alg string, err error) {
	for _, v := range []value{h.Crit, h.B64, h.Zip, h.Enc, h.Jku, h.X5u, h.Jwk, h.X5c} {
		if v != nil {
			return "", "", errors.New("header: an extension, or a key that the token brings along")
		}
	}
	alg, ok := h.Alg.text()
	if !ok {
		return "", "", errors.New("header: alg is not a string")
	}
	if h.Kid != nil {
		if kid, ok = h.Kid.text(); !ok || kid == "" {
			return "", "", errors.New("header: kid is not a string, or empty")
		}
	}
	return kid, alg, nil
}

// value is a JSON value as it is written, or nil.
type value jsontext.Value

// UnmarshalJSON keeps v as it is.
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

// is reports whether v, a typ, is one of types.
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
