package fosite

import (
	"net/http"
	"testing"
	"time"

	"github.com/ory/fosite"

	"github.com/authtier/authtier/benchmarks/peers/bench"
)

// Opaque introspects at the resource server itself. Fosite leaves the comparison
// of audiences there to its caller.
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
	in := time.Now().Add(time.Hour)
	return bench.Opaque{
		Party: bench.Party{Name: "fosite", Handler: h},
		Good:  s.token(tb, bench.Scope, bench.Audience, in),
		Bad: map[string]*http.Request{
			"an expiry past":   bench.WithToken(s.token(tb, bench.Scope, bench.Audience, time.Now().Add(-time.Minute))),
			"another audience": bench.WithToken(s.token(tb, bench.Scope, "https://other.example", in)),
			"other scopes":     bench.WithToken(s.token(tb, "files", bench.Audience, in)),
		},
	}
}

// token stores an opaque token, as the token endpoint does.
func (s *site) token(tb testing.TB, scope, audience string, expires time.Time) string {
	tb.Helper()
	client, err := s.store.GetClient(tb.Context(), bench.ClientID)
	bench.Must(tb, err)
	r := fosite.NewAccessRequest(&fosite.DefaultSession{
		Subject: "ada", ExpiresAt: map[fosite.TokenType]time.Time{fosite.AccessToken: expires},
	})
	r.Client = client
	r.GrantScope(scope)
	r.GrantAudience(audience)
	token, signature, err := s.strategy.GenerateAccessToken(tb.Context(), r)
	bench.Must(tb, err)
	bench.Must(tb, s.store.CreateAccessTokenSession(tb.Context(), signature, r))
	return token
}
