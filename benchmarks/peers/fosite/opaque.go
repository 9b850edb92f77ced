package fosite

import (
	"net/http"
	"testing"
	"time"

	"github.com/ory/fosite"

	"github.com/authtier/authtier/benchmarks/peers/bench"
)

// Opaque introspects in the resource server itself, where fosite leaves the comparison
// of audiences to its caller.
func Opaque(tb testing.TB) bench.Opaque {
	tb.Helper()
	s := newSite(tb, "opaque")
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, token := r.Context(), fosite.AccessTokenFromRequest(r)
		_, caller, err := s.provider.IntrospectToken(ctx, token, fosite.AccessToken, &fosite.DefaultSession{}, bench.Scope)
		if err != nil || !caller.GetGrantedAudience().Has(bench.Audience) {
			bench.Refuse(w)
			return
		}
		bench.Admit(w, r, caller)
	})
	return bench.Opaque{
		Party: bench.Party{Name: "fosite", Handler: h},
		Good:  s.token(tb, bench.Scope, bench.Audience, time.Hour),
		Bad: map[string]*http.Request{
			"an expiry past":   bench.WithToken(s.token(tb, bench.Scope, bench.Audience, -time.Minute)),
			"another audience": bench.WithToken(s.token(tb, bench.Scope, "https://other.example", time.Hour)),
			"other scopes":     bench.WithToken(s.token(tb, "files", bench.Audience, time.Hour)),
		},
	}
}

// token returns a token from the token endpoint, which also stores its records.
func (s *site) token(tb testing.TB, scope, audience string, lifetime time.Duration) string {
	tb.Helper()
	s.config.AccessTokenLifespan, s.audience = lifetime, audience
	return bench.IssuedBy(tb, s, scope)
}
