package bench

import (
	"context"
	"net/http"
	"strings"
)

// This is what peers that are no wrappers, or check no scopes, need around them
// to do the same job.

// Claims are those of an access token that some leave to their caller.
type Claims struct {
	Client string `json:"client_id"`
	User   string `json:"username"`
	Scope  string `json:"scope"`
}

type contextKey struct{}

// Admit calls Next with what is known of the caller.
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

// HasScope says whether a list holds the scope that is asked for.
func HasScope(list string) bool {
	for s := range strings.FieldsSeq(list) {
		if s == Scope {
			return true
		}
	}
	return false
}
