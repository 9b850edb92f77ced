package issuer

import (
	"slices"
	"strings"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// limited returns those of the scopes that tokens of the user may have. user is nil
// for a client's own token.
func limited(scopes []string, user *store.User) []string {
	if user == nil || !user.LimitScopes {
		return scopes
	}
	return slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return !slices.Contains(user.Scopes, s) })
}

// limitedBy returns those of the scopes that an identity may get tokens for. by is
// nil where nobody asks but the program.
func limitedBy(scopes []string, by *middleware.Identity) []string {
	if by == nil || by.Family == "" && !limitsByKey(by) {
		return scopes
	}
	return slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return !by.Scopes.Has(s) })
}

// grantedScopes judges the scopes asked for, in the order asked and without
// repeats; def is granted where none are. What is granted is written as in allowed,
// since a token that held what was asked would keep the whole request.
func grantedScopes(asked string, def, allowed []string) (string, error) {
	if !middleware.Scopes(asked).Valid() {
		return "", &errorsx.Error{Code: errorsx.ScopeNotAuthorized, Message: "The scope is malformed"}
	}
	scopes := def
	if asked != "" {
		scopes = make([]string, 0, 8) // on the stack, as nearly nobody asks for more
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
