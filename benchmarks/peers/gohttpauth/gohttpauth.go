// Package gohttpauth measures abbot/go-http-auth.
package gohttpauth

import (
	"net/http"
	"testing"

	auth "github.com/abbot/go-http-auth"
	"golang.org/x/crypto/bcrypt"

	"github.com/authtier/authtier/benchmarks/peers/bench"
)

// Handler knows the password by its bcrypt hash of cost 10.
func Handler(tb testing.TB) http.Handler {
	tb.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(bench.Password), 10)
	bench.Must(tb, err)
	authenticator := auth.NewBasicAuthenticator("api", func(user, _ string) string {
		if user != bench.Login {
			return ""
		}
		return string(hash)
	})
	return auth.JustCheck(authenticator, bench.Next.ServeHTTP)
}
