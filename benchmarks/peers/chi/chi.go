// Package chi measures go-chi's middleware for HTTP Basic authentication.
package chi

import (
	"net/http"
	"testing"

	"github.com/go-chi/chi/v5/middleware"

	"github.com/authtier/authtier/benchmarks/peers/bench"
)

// Handler has the password itself and compares it.
func Handler(testing.TB) http.Handler {
	return middleware.BasicAuth("api", map[string]string{bench.Login: bench.Password})(bench.Next)
}
