package middleware

import (
	"strings"
)

// Scopes is a list of scopes in the form in which OAuth sends it: separated by single
// spaces, case-sensitive and without order (RFC 6749 section 3.3).
type Scopes string

// Has reports whether scope is one of s.
func (s Scopes) Has(scope string) bool {
	return scope != "" && strings.IndexByte(scope, ' ') < 0 && s.has(scope)
}

// has is [Scopes.Has] for a scope that is not empty and contains no space.
func (s Scopes) has(scope string) bool { return contains(string(s), scope) }

// contains reports whether list, whose elements are separated by spaces, contains
// item. The item must not be empty and must not contain a space.
func contains(list, item string) bool {
	for rest := list; len(rest) >= len(item); {
		if n := len(item); rest[:n] == item && (len(rest) == n || rest[n] == ' ') {
			return true
		}
		next := strings.IndexByte(rest, ' ')
		if next < 0 {
			return false
		}
		rest = rest[next+1:]
	}
	return false
}

// List returns the scopes as a slice, which is empty for an empty s.
func (s Scopes) List() []string { return strings.Fields(string(s)) }

// Valid reports whether s is a valid list of scope tokens (RFC 6749 section 3.3). The
// empty list is valid.
func (s Scopes) Valid() bool {
	if s == "" {
		return true
	}
	for token := range strings.SplitSeq(string(s), " ") {
		if !validScope(token) {
			return false
		}
	}
	return true
}

// validScope reports whether s is one valid scope token (RFC 6749 section 3.3).
func validScope(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return s != ""
}

// An Audience is a list of the recipients that a token is for (RFC 7519 section
// 4.1.3). They are separated by single spaces, so none of them may contain a space.
type Audience string

// Has reports whether recipient is one of a.
func (a Audience) Has(recipient string) bool {
	return recipient != "" && strings.IndexByte(recipient, ' ') < 0 && contains(string(a), recipient)
}

// List returns the recipients as a slice, which is empty for an empty a.
func (a Audience) List() []string {
	if a == "" {
		return nil
	}
	return strings.Split(string(a), " ")
}
