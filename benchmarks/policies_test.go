package benchmarks

import (
	"net/http"
	"testing"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
)

// BenchmarkPolicies compares the cached chain with chains that have one more wrapper, or
// read a credential from another place. Compare the rows of one run with row=chain.
func BenchmarkPolicies(b *testing.B) {
	s := newSite(b, issuer.Config{OpaqueTokens: true}, "", 1000)
	token := s.tokens(b, 1)[0]
	key := middleware.APIKey(s.cache, nil)
	user := &middleware.BearerConfig{RequireUser: true}
	rest := middleware.Chain(middleware.Scope("read"), middleware.Usage(s.usage, nil))
	tiers := func(wrappers ...middleware.Wrapper) http.Handler {
		return middleware.Tiers(middleware.TierTable{"/user/": middleware.Chain(append(wrappers, rest)...)}, nil)(next)
	}
	own := middleware.Require(func(r *http.Request, id middleware.Identity) error {
		if id.User != "ada" {
			return http.ErrNoCookie
		}
		return nil
	})
	resource := middleware.ProtectedResource(http.NewServeMux(), middleware.ResourceConfig{
		URL: "https://api.example/user", AuthorizationServers: []string{"https://id.example"},
	})
	cookie := *user
	cookie.Cookie, cookie.CrossOrigin = "token", http.NewCrossOriginProtection()

	for _, row := range []struct {
		name string
		h    http.Handler
		r    *http.Request
	}{
		{"chain", tiers(key, middleware.Bearer(s.cache, user)), request("X-API-KEY", "my_api_key", "Authorization", "Bearer "+token)},
		{"require", tiers(key, middleware.Bearer(s.cache, user), own), request("X-API-KEY", "my_api_key", "Authorization", "Bearer "+token)},
		{"resource", resource(tiers(key, middleware.Bearer(s.cache, user))), request("X-API-KEY", "my_api_key", "Authorization", "Bearer "+token)},
		{"anonymous", tiers(middleware.APIKey(s.cache, &middleware.APIKeyConfig{AllowAnonymous: true}), middleware.Bearer(s.cache, user)), request("X-API-KEY", "my_api_key", "Authorization", "Bearer "+token)},
		{"scheme", tiers(middleware.APIKey(s.cache, &middleware.APIKeyConfig{Header: "X-Key", Scheme: "Key"}), middleware.Bearer(s.cache, user)), request("X-Key", "Key my_api_key", "Authorization", "Bearer "+token)},
		{"bare", tiers(key, middleware.Bearer(s.cache, &middleware.BearerConfig{RequireUser: true, BareHeader: "X-Token"})), request("X-API-KEY", "my_api_key", "X-Token", token)},
		{"header", tiers(key, middleware.Bearer(s.cache, &middleware.BearerConfig{RequireUser: true, Header: "X-Token"})), request("X-API-KEY", "my_api_key", "X-Token", "Bearer "+token)},
		{"cookie", tiers(key, middleware.Bearer(s.cache, &cookie)), request("X-API-KEY", "my_api_key", "Cookie", "token="+token)},
	} {
		b.Run("row="+row.name, func(b *testing.B) { serve(b, row.h, 200, []*http.Request{row.r}) })
	}
}
