package idp

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// A header is a JOSE header (RFC 7515 section 4). Members are kept as raw JSON. A
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
	X5u  value `json:"x5u"`
	Jwk  value `json:"jwk"`

	// These members say where the key is. They are never followed, and are harmless
	// beside the ID of a known key.
	Jku value `json:"jku"`
	X5c value `json:"x5c"`
	X5t value `json:"x5t"`
}

// key returns the ID and the algorithm of the key that the header asks for.
func (h *header) key() (kid, alg string, err error) {
	for i, v := range []value{h.Crit, h.B64, h.Zip, h.Enc, h.X5u, h.Jwk} {
		if v != nil {
			name := [...]string{"crit", "b64", "zip", "enc", "x5u", "jwk"}[i]
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
	if alg == "Ed25519" { // the name of RFC 9864
		alg = "EdDSA"
	}
	return kid, alg, nil
}

// locator returns the member that says where the key is, or nil.
func (h *header) locator() (name string, v value) {
	for i, v := range []value{h.Jku, h.X5c, h.X5t} {
		if v != nil {
			return [...]string{"jku", "x5c", "x5t"}[i], v
		}
	}
	return "", nil
}

// badKey returns the fault of a token that no key verifies.
func (h *header) badKey(want fmt.Stringer, err error) *tokenFault {
	f := h.Kid.fault("kid", want)
	f.err = err
	return f
}

// A value is raw JSON, or nil if the member is absent.
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
	return unquoted(jsontext.Value(v)), true
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
