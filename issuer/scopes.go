package issuer

import (
	"slices"
	"strings"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// limited returns those scopes that tokens of the user may have. user is nil for a
// client's own token.
func limited(scopes []string, user *store.User) []string {
	if user == nil || !user.LimitScopes {
		return scopes
	}
	return slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return !slices.Contains(user.Scopes, s) })
}

// limitedBy returns those scopes that the identity by may get tokens for. by is nil if
// the program itself mints the token.
func limitedBy(scopes []string, by *middleware.Identity) []string {
	if by == nil || by.Family == "" && !limitsByKey(by) {
		return scopes
	}
	return slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return !by.Scopes.Has(s) })
}

// grantedScopes returns the granted scopes in the order of asked, without repeats. If
// asked is empty, they are those of def. It copies the strings of allowed, because
// strings of asked would keep the whole request in memory.
func grantedScopes(asked string, def, allowed []string) (string, error) {
	if !middleware.Scopes(asked).Valid() {
		return "", &errorsx.Error{Code: errorsx.ScopeNotAuthorized, Message: "The scope is malformed"}
	}

	scopes := def
	if asked != "" {
		scopes = make([]string, 0, 8) // up to 8 need no heap
		for s := range strings.SplitSeq(asked, " ") {
			scopes = append(scopes, s)
		}
	}

	granted := make([]string, 0, 8)
	for _, s := range scopes {
		n := slices.Index(allowed, s)
		if n < 0 {
			return "", errorsx.ScopeNotAuthorized
		}
		if !slices.Contains(granted, s) {
			granted = append(granted, allowed[n])
		}
	}
	if len(granted) == 0 {
		return "", errorsx.ScopeNotAuthorized
	}
	return strings.Join(granted, " "), nil
}
