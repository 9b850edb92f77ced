package idp

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// A tokenFault is the cause of a token's refusal. It names a claim or a header
// member, the expectation, and the value or the JSON kind that was found. Its text is
// built only when Error is called.
type tokenFault struct {
	part  string // inClaims, inHeader or inAnswer
	name  string
	want  fmt.Stringer
	found foundValue

	setting string // the field of Config to look at, or ""
	never   bool   // no token of the issuer was accepted yet
	err     error  // a further cause, or nil
}

// The parts of a token or an answer in which a fault may be.
const (
	inClaims = "claim"
	inHeader = "header member"
	inAnswer = "member" // in the answer of an introspection endpoint
)

// shownClaims are the claims whose values a cause may show. They name the issuer, the
// audience and the client, and tell nothing about the user.
var shownClaims = []string{"iss", "aud", "client_id", "azp", "typ"}

// shownHeader are the header members whose values a cause may show.
var shownHeader = []string{"typ", "alg", "kid"}

// newFault returns a fault. texts is the value found, if it is a string or a list of
// strings. It is kept only if a cause may show it.
func newFault(part, name string, want fmt.Stringer, kind jsontext.Kind, texts ...string) *tokenFault {
	shown := shownClaims
	if part == inHeader {
		shown = shownHeader
	}

	f := &tokenFault{part: part, name: name, want: want, found: foundValue{kind: kind}}
	if slices.Contains(shown, name) {
		f.found.texts, f.found.more = excerpt(texts)
	}
	return f
}

// Error names the member, the expectation and the value found.
func (f *tokenFault) Error() string {
	s := fmt.Sprintf("%s %q: expected %v, found %v", f.part, f.name, f.want, f.found)
	if f.setting != "" {
		s += " (see " + f.setting + ")"
	}
	if f.never {
		s += "; no token of this issuer was accepted yet, so the setting may be wrong"
	}
	if f.err != nil {
		s += "; " + f.err.Error()
	}
	return s
}

// see names the field of Config to look at.
func (f *tokenFault) see(setting string) *tokenFault {
	f.setting = setting
	return f
}

// Unwrap returns the further cause, or nil.
func (f *tokenFault) Unwrap() error { return f.err }

// A foundValue is a JSON value in the form in which a cause shows it.
type foundValue struct {
	kind  jsontext.Kind // 0 if there is no such member
	texts []string      // shown instead of the kind
	more  bool          // the value is longer than texts
}

// kindNames are the names of the JSON kinds.
var kindNames = map[jsontext.Kind]string{
	0: "nothing", 'n': "null", 'f': "false", 't': "true", '"': "a string", '0': "a number", '{': "an object", '[': "a list",
}

// String returns the quoted texts, or the name of the kind.
func (v foundValue) String() string {
	s := kindNames[v.kind]
	switch {
	case v.texts == nil:
	case v.kind == '"':
		s = fmt.Sprintf("%q", v.texts[0])
	default:
		s = fmt.Sprintf("%q", v.texts)
	}
	if v.more {
		s += "..."
	}
	return s
}

// maxShown is the number of bytes of a value that a cause may show.
const maxShown = 64

// excerpt returns the first bytes of the texts, at most maxShown in all, and reports
// whether there are more.
func excerpt(texts []string) (cut []string, more bool) {
	left := maxShown
	for _, s := range texts {
		if left == 0 {
			return cut, true
		}

		// The cut must not split a character.
		n := min(len(s), left)
		for n < len(s) && n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		// The whole text may be large, and caches remember causes.
		cut = append(cut, strings.Clone(s[:n]))
		if n < len(s) {
			return cut, true
		}
		left -= n
	}
	return cut, false
}

// words are a fixed expectation.
type words string

func (w words) String() string { return string(w) }

// anyOf is the expectation of one of several values.
type anyOf []string

func (vs anyOf) String() string {
	if len(vs) == 1 {
		return fmt.Sprintf("%q", vs[0])
	}
	return fmt.Sprintf("one of %q", []string(vs))
}

// A timeAfter is the expectation of a time after another.
type timeAfter time.Time

func (t timeAfter) String() string { return "a time after " + rfc3339(time.Time(t)) }

// A timeUntil is the expectation of a time that is not after another.
type timeUntil time.Time

func (t timeUntil) String() string { return "a time not after " + rfc3339(time.Time(t)) }

func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// anyAlg is the expectation of an algorithm that is supported.
type anyAlg struct{}

func (anyAlg) String() string { return anyOf(slices.Sorted(maps.Keys(methods))).String() }

// A knownKey is the expectation of the ID of a key for that algorithm.
type knownKey string

func (alg knownKey) String() string { return fmt.Sprintf("the ID of a known %s key", string(alg)) }

// A signingKey is the expectation of the ID of the key that made the signature.
type signingKey string

func (alg signingKey) String() string {
	return fmt.Sprintf("the ID of the %s key that made the signature", string(alg))
}

// The expectations of claims that do not depend on the configuration.
const (
	wantString   = words("a string")
	wantFilled   = words("a string that is not empty")
	wantPrinted  = words("a string without control characters")
	wantScopes   = words("scopes separated by single spaces")
	wantAudience = words("a string or a list of strings, none of them empty or with a space")
	wantSeconds  = words("a number of seconds within 2^53")
)

// notYetValid is the fault of a token that becomes valid at a later time.
type notYetValid struct {
	*tokenFault
	from time.Time
}

// ValidFrom returns that time. [middleware.Cache] asks for it.
func (f *notYetValid) ValidFrom() time.Time { return f.from }
