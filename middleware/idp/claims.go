package idp

import (
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

// Claims are the claims of a token whose signature is verified, or the members of an
// introspection's answer. A claim whose value is null counts as absent. The methods do
// not change the claims and are safe for concurrent use.
//
// A name that begins with a slash is a JSON Pointer (RFC 6901): "/realm_access/roles" is
// the member roles of the claim realm_access. Any other name is a claim's name as it is,
// so that "https://example.com/roles" needs no escape.
type Claims struct {
	members members
	part    string // inClaims or inAnswer: the name of a claim in causes
}

// Has reports whether the claim is present.
func (c Claims) Has(name string) bool { return c.value(name) != nil }

// Text returns the claim if it is a string or a number, and "" if it is absent or of
// another JSON type.
func (c Claims) Text(name string) string {
	s, _ := c.text(name)
	return s
}

// List returns the elements of the claim that are strings. A string is a list of one
// element. The list is empty if the claim is absent or of another JSON type.
func (c Claims) List(name string) []string {
	v := c.value(name)
	if v.Kind() == '"' {
		return []string{unquoted(v)}
	}

	var items []jsontext.Value
	if v.Kind() != '[' || json.Unmarshal(v, &items) != nil {
		return nil
	}
	var list []string
	for _, item := range items {
		if item.Kind() == '"' {
			list = append(list, unquoted(item))
		}
	}
	return list
}

// Decode decodes the claim into v, a pointer. It returns an error if the claim is absent
// or does not fit.
func (c Claims) Decode(name string, v any) error {
	raw := c.value(name)
	if raw == nil {
		return fmt.Errorf("idp: no claim %q", name)
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("idp: claim %q: %w", name, withoutValue(err))
	}
	return nil
}

// maxDepth bounds how deep a pointer may reach.
const maxDepth = 16

// value returns the claim of that name, or nil if it is absent or null.
func (c Claims) value(name string) jsontext.Value {
	v, ok := c.members.get(name)
	if !ok && strings.HasPrefix(name, "/") {
		v = c.at(jsontext.Pointer(name))
	}
	if v.Kind() == 'n' {
		return nil
	}
	return v
}

// at returns the value that a pointer names, or nil.
func (c Claims) at(p jsontext.Pointer) jsontext.Value {
	inner, depth := c.members, 0
	var v jsontext.Value
	for token := range p.Tokens() {
		if depth++; depth > maxDepth {
			return nil
		}
		if depth > 1 {
			var err error
			if inner, err = readMembers(v); err != nil {
				return nil
			}
		}
		var ok bool
		if v, ok = inner.get(token); !ok {
			return nil
		}
	}
	return v
}

// text returns the claim as text. ok is false if it is present and neither a string nor
// a number. Strings without content and with control characters are refused too, because
// they name nobody.
func (c Claims) text(name string) (s string, ok bool) {
	v := c.value(name)
	switch v.Kind() {
	case 0:
		return "", true
	case '0':
		return string(v), true
	case '"':
		s = unquoted(v)
		if s == "" || strings.ContainsFunc(s, unicode.IsControl) {
			return "", false
		}
		return s, true
	}
	return "", false
}

// time returns the claim as a NumericDate (RFC 7519 section 2), rounded down to whole
// seconds. present is false if it is absent; ok is false for any other value than a
// number within 2^53.
func (c Claims) time(name string) (t time.Time, present, ok bool) {
	v := c.value(name)
	if v == nil {
		return t, false, true
	}
	if seconds, err := strconv.ParseInt(string(v), 10, 64); err == nil {
		return time.Unix(seconds, 0), true, seconds <= 1<<53 && seconds >= -1<<53
	}

	// ParseFloat rounds a number slightly above 2^53 to 2^53, so 2^53 is wrong here.
	f, err := strconv.ParseFloat(string(v), 64)
	if v.Kind() != '0' || err != nil || math.Abs(f) >= 1<<53 {
		return t, true, false
	}
	return time.Unix(int64(math.Floor(f)), 0), true, true
}

// audience returns the claim aud, which is a string or a list of strings. ok is false for
// any other value, and for an audience that is empty or contains a blank.
func (c Claims) audience() (list []string, ok bool) {
	v := c.value("aud")
	switch v.Kind() {
	case 0:
		return nil, true
	case '"':
		list = []string{unquoted(v)}
	case '[':
		if json.Unmarshal(v, &list) != nil {
			return nil, false
		}
	default:
		return nil, false
	}
	for _, a := range list {
		if a == "" || strings.ContainsFunc(a, unicode.IsSpace) {
			return list, false
		}
	}
	return list, true
}

// truthy returns the names of an object's members whose value is neither false, null nor
// empty.
func truthy(v jsontext.Value) (names []string, err error) {
	object, err := readMembers(v)
	if err != nil {
		return nil, errors.New("not an object")
	}
	for _, m := range object {
		switch strings.Join(strings.Fields(string(m.value)), "") {
		case "false", "null", `""`, "[]", "{}":
		default:
			names = append(names, string(m.name))
		}
	}
	return names, nil
}

// fault returns the fault of the claim of that name.
func (c Claims) fault(name string, want fmt.Stringer) *tokenFault {
	v, _ := c.members.get(name)
	switch v.Kind() {
	case '"':
		return newFault(c.part, name, want, '"', unquoted(v))
	case '[':
		var items []jsontext.Value
		list := c.List(name)
		if json.Unmarshal(v, &items) == nil && len(items) == len(list) && len(list) > 0 {
			return newFault(c.part, name, want, '[', list...)
		}
	}
	return newFault(c.part, name, want, v.Kind())
}
