package bench

import (
	"context"
	"net/http"
	"strings"
)

// The functions below complete peers that are not wrappers or do not check scopes, so
// that all do the same work.

// Claims are the claims of an access token that some libraries do not check.
type Claims struct {
	Client string `json:"client_id"`
	User   string `json:"username"`
	Scope  string `json:"scope"`
}

type contextKey struct{}

// Admit calls Next with the identity of the caller.
func Admit(w http.ResponseWriter, r *http.Request, caller any) {
	Next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, caller)))
}

// Refuse answers 401.
func Refuse(w http.ResponseWriter) {
	w.Header()["WWW-Authenticate"] = []string{"Bearer"}
	w.WriteHeader(http.StatusUnauthorized)
}

// BearerToken returns the token that a request carries.
func BearerToken(r *http.Request) (token string, ok bool) {
	return strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
}

// HasScope reports whether a list holds the required scope.
func HasScope(list string) bool {
	for s := range strings.FieldsSeq(list) {
		if s == Scope {
			return true
		}
	}
	return false
}
