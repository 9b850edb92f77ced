package peers

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/go-oauth2/oauth2/v4"
	"github.com/go-oauth2/oauth2/v4/models"
	"github.com/ory/fosite"
	fositeoauth2 "github.com/ory/fosite/handler/oauth2"

	"github.com/authtier/authtier/issuer"
)

// An opaqueParty is a party with tokens of its own.
type opaqueParty struct {
	party
	good string
	bad  map[string]*http.Request
}

func (p opaqueParty) check(tb testing.TB) {
	tb.Helper()
	p.bad["another character"] = withToken(tampered(p.good))
	p.bad["no token"] = request()
	p.party.check(tb, withToken(p.good), p.bad)
}

func opaqueParties(tb testing.TB) []opaqueParty {
	return []opaqueParty{oursOpaque(tb, true), oursOpaque(tb, false), fositeOpaque(tb), goOAuth2Opaque(tb)}
}

func oursOpaque(tb testing.TB, cached bool) opaqueParty {
	tb.Helper()
	s := newSite(tb, "opaque")
	p := opaqueParty{party: party{"authtier-store", ours(s.iss)}, good: s.token(tb, scope), bad: map[string]*http.Request{
		"an expiry past":   withToken(s.opaque(tb, audience, time.Now().Add(-time.Second))),
		"another audience": withToken(s.opaque(tb, "https://other.example", time.Now().Add(time.Hour))),
		"other scopes":     withToken(s.token(tb, "files")),
		"a bad checksum":   withToken(issuer.Generate("authtier_at") + "0"),
	}}
	if cached {
		p.party = party{"authtier", ours(s.cache)}
	}
	return p
}

// fositeOpaque introspects at the resource server itself. Fosite does not
// compare audiences there.
func fositeOpaque(tb testing.TB) opaqueParty {
	tb.Helper()
	f := newFosite(tb, "opaque")
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, token := r.Context(), fosite.AccessTokenFromRequest(r)
		_, caller, err := f.provider.IntrospectToken(ctx, token, fosite.AccessToken, &fosite.DefaultSession{}, scope)
		if err != nil {
			refuse(w)
			return
		}
		admit(w, r, caller)
	})
	in := time.Now().Add(time.Hour)
	return opaqueParty{party: party{"fosite", h}, good: f.opaque(tb, scope, in), bad: map[string]*http.Request{
		"an expiry past": withToken(f.opaque(tb, scope, time.Now().Add(-time.Minute))),
		"other scopes":   withToken(f.opaque(tb, "files", in)),
	}}
}

// opaque stores a token, as the token endpoint does.
func (f *fositeSite) opaque(tb testing.TB, granted string, expires time.Time) string {
	tb.Helper()
	client, err := f.store.GetClient(tb.Context(), "app")
	must(tb, err)
	r := fosite.NewAccessRequest(&fosite.DefaultSession{
		Subject: "ada", ExpiresAt: map[fosite.TokenType]time.Time{fosite.AccessToken: expires},
	})
	r.Client = client
	r.GrantScope(granted)
	token, signature, err := f.strategy.(fositeoauth2.AccessTokenStrategy).GenerateAccessToken(tb.Context(), r)
	must(tb, err)
	must(tb, f.store.CreateAccessTokenSession(tb.Context(), signature, r))
	return token
}

// goOAuth2Opaque knows no audiences and leaves scopes to its caller.
func goOAuth2Opaque(tb testing.TB) opaqueParty {
	tb.Helper()
	o := newGoOAuth2(tb)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info, err := o.server.ValidationBearerToken(r)
		if err != nil || !hasScope(info.GetScope()) {
			refuse(w)
			return
		}
		admit(w, r, info)
	})
	expired := &models.Token{
		ClientID: "app", Scope: scope, Access: "EXPIRED", AccessCreateAt: time.Now().Add(-2 * time.Hour), AccessExpiresIn: time.Hour,
	}
	must(tb, o.store.Create(tb.Context(), expired))
	return opaqueParty{party: party{"go-oauth2", h}, good: o.token(tb, scope), bad: map[string]*http.Request{
		"an expiry past": withToken("EXPIRED"),
		"other scopes":   withToken(o.token(tb, "files")),
	}}
}

func (o *goOAuth2) token(tb testing.TB, granted string) string {
	tb.Helper()
	info, err := o.manager.GenerateAccessToken(context.Background(), oauth2.ClientCredentials, &oauth2.TokenGenerateRequest{
		ClientID: "app", ClientSecret: clientSecret, Scope: granted, Request: request(),
	})
	must(tb, err)
	return info.GetAccess()
}

func TestOpaque(t *testing.T) {
	for _, p := range opaqueParties(t) {
		p.check(t)
	}
}

// BenchmarkOpaque looks tokens up. What is refused differs from a good token in
// one character; junk does so each time anew.
func BenchmarkOpaque(b *testing.B) {
	for _, p := range opaqueParties(b) {
		p.check(b)
		b.Run("peer="+p.name+"/outcome=accept", func(b *testing.B) { serve(b, p.h, true, withToken(p.good)) })
		b.Run("peer="+p.name+"/outcome=refuse", func(b *testing.B) { serve(b, p.h, false, p.bad["another character"]) })
		b.Run("peer="+p.name+"/outcome=junk", func(b *testing.B) { serve(b, p.h, false, fresh()...) })
	}
}
