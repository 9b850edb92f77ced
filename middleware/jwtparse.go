package middleware

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A token is a compact JWS in its one spelling. Its JSON is strict: UTF-8,
// exact and unrepeated member names. Nothing in it is believed yet.
type token struct {
	signed    string // header and payload, as they are signed
	header    header
	payload   []byte
	signature []byte
}

var errSpelling = errors.New("not a compact JWS in its one spelling")

func parseJWT(s string) (*token, error) {
	if len(s) > maxCredential {
		return nil, errSpelling
	}
	last := strings.LastIndexByte(s, '.')
	first := strings.IndexByte(s, '.')
	if first <= 0 || last == first || strings.IndexByte(s[first+1:last], '.') >= 0 {
		return nil, errSpelling
	}
	head, ok1 := decodeBase64(base64.RawURLEncoding, s[:first])
	payload, ok2 := decodeBase64(base64.RawURLEncoding, s[first+1:last])
	signature, ok3 := decodeBase64(base64.RawURLEncoding, s[last+1:])
	if !ok1 || !ok2 || !ok3 {
		return nil, errSpelling
	}
	t := &token{signed: s[:last], payload: payload, signature: signature}
	if jsontext.Value(head).Kind() != '{' {
		return nil, errors.New("header: not a JSON object")
	}
	if err := json.Unmarshal(head, &t.header); err != nil {
		return nil, fmt.Errorf("header: %w", withoutValue(err))
	}
	if v := jsontext.Value(payload); v.Kind() != '{' || !v.IsValid() {
		return nil, errors.New("payload: not a strict JSON object")
	}
	return t, nil
}

// encodedPayload returns the payload as it stands in the token, and keeps nothing
// else of the token alive.
func (t *token) encodedPayload() string {
	return strings.Clone(t.signed[strings.IndexByte(t.signed, '.')+1:])
}

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
	for _, t := range types {
		if t == mediaType(s) {
			return true
		}
	}
	return false
}

// mediaType returns a typ in the form in which it is compared (RFC 7515 section
// 4.1.9).
func mediaType(s string) string {
	s = strings.ToLower(s)
	return strings.TrimPrefix(s, "application/")
}

// claims are the registered claims of RFC 7519 and RFC 9068.
type claims struct {
	issuer, client, user, id   string
	audience                   []string
	scopes                     Scopes
	expires, notBefore, issued time.Time
}

// claims reads the payload's claims, and refuses those that are missing or of a
// wrong JSON type.
func (t *token) claims(userClaim string) (*claims, error) {
	var m map[string]value
	if err := json.Unmarshal(t.payload, &m); err != nil {
		return nil, fmt.Errorf("payload: %w", withoutValue(err))
	}
	typ, _ := t.header.Typ.text()
	r := claimReader{members: m}
	c := &claims{}
	at := mediaType(typ) == "at+jwt"
	c.issuer = r.name("iss", true)
	r.name("sub", true)
	c.id = r.name("jti", at)
	c.client = r.name("client_id", at)
	if azp := r.name("azp", false); c.client == "" {
		c.client = azp
	} else if azp != "" && azp != c.client {
		r.fault("azp")
	}
	c.user = r.name(userClaim, false)
	c.scopes = Scopes(r.text("scope", false))
	if !c.scopes.Valid() {
		r.fault("scope")
	}
	c.audience = r.audience()
	c.expires = r.time("exp", true)
	c.notBefore = r.time("nbf", false)
	c.issued = r.time("iat", at)
	if c.issued.After(c.expires) {
		r.fault("iat")
	}
	return c, r.err
}

// claimReader remembers the first claim that does not fit.
type claimReader struct {
	members map[string]value
	err     error
}

func (r *claimReader) fault(claim string) {
	if r.err == nil {
		r.err = fmt.Errorf("payload: the claim %q is missing or does not fit", claim)
	}
}

func (r *claimReader) text(claim string, required bool) string {
	v, ok := r.members[claim]
	if !ok {
		if required {
			r.fault(claim)
		}
		return ""
	}
	s, ok := v.text()
	if !ok {
		r.fault(claim)
	}
	return s
}

// name is a text that names somebody or something: not empty where it is
// present, and without control characters.
func (r *claimReader) name(claim string, required bool) string {
	s := r.text(claim, required)
	if _, present := r.members[claim]; present && s == "" || strings.ContainsFunc(s, unicode.IsControl) {
		r.fault(claim)
	}
	return s
}

// audience is one string or a list of them (RFC 7519 section 4.1.3).
func (r *claimReader) audience() []string {
	v := r.members["aud"]
	var list []string
	if s, ok := v.text(); ok {
		list = []string{s}
	} else if jsontext.Value(v).Kind() != '[' || json.Unmarshal(v, &list) != nil {
		list = nil
	}
	for _, a := range list {
		if a == "" || strings.Contains(a, " ") {
			list = nil
			break
		}
	}
	if len(list) == 0 {
		r.fault("aud")
	}
	return list
}

// time is a NumericDate (RFC 7519 section 2), cut to whole seconds. Beyond what
// a JSON number holds exactly there is no time.
func (r *claimReader) time(claim string, required bool) time.Time {
	v, ok := r.members[claim]
	if !ok {
		if required {
			r.fault(claim)
		}
		return time.Time{}
	}
	f, err := strconv.ParseFloat(string(v), 64)
	if jsontext.Value(v).Kind() != '0' || err != nil || math.Abs(f) > 1<<53 {
		r.fault(claim)
		return time.Time{}
	}
	return time.Unix(int64(math.Floor(f)), 0)
}
