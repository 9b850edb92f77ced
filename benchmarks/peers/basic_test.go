package peers

import (
	"context"
	"net/http"
	"testing"

	auth "github.com/abbot/go-http-auth"
	chi "github.com/go-chi/chi/v5/middleware"
	"golang.org/x/crypto/bcrypt"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

const password = "correct horse"

// basicParties check a password by its bcrypt hash of cost 10, but for chi,
// which has the password itself and compares it.
func basicParties(tb testing.TB) []party {
	tb.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), 10)
	must(tb, err)
	v := middleware.ValidatorFunc(func(_ context.Context, c middleware.Credential) (*middleware.Identity, error) {
		if c.Username != "ada" || bcrypt.CompareHashAndPassword(hash, []byte(c.Secret)) != nil {
			return nil, errorsx.CredentialsIncorrect
		}
		return &middleware.Identity{Issuer: issuerURL, Client: c.Username}, nil
	})
	cache, err := middleware.NewCache(v, 1000, middleware.CacheConfig{})
	must(tb, err)
	abbot := auth.NewBasicAuthenticator("api", func(user, _ string) string {
		if user != "ada" {
			return ""
		}
		return string(hash)
	})
	return []party{
		{"authtier", middleware.Basic(cache, middleware.BasicConfig{})(next)},
		{"go-http-auth", auth.JustCheck(abbot, next.ServeHTTP)},
		{"chi", chi.BasicAuth("api", map[string]string{"ada": password})(next)},
	}
}

func basic(user, password string) *http.Request {
	r := request()
	r.SetBasicAuth(user, password)
	return r
}

func checkBasic(tb testing.TB, p party) {
	tb.Helper()
	p.check(tb, basic("ada", password), map[string]*http.Request{
		"another password": basic("ada", "a guess"),
		"another user":     basic("bob", password),
		"no header":        request(),
	})
}

func TestBasic(t *testing.T) {
	for _, p := range basicParties(t) {
		checkBasic(t, p)
	}
}

func BenchmarkBasic(b *testing.B) {
	for _, p := range basicParties(b) {
		checkBasic(b, p)
		b.Run("peer="+p.name+"/outcome=accept", func(b *testing.B) { serve(b, p.h, true, basic("ada", password)) })
		b.Run("peer="+p.name+"/outcome=refuse", func(b *testing.B) { serve(b, p.h, false, basic("ada", "a guess")) })
	}
}
