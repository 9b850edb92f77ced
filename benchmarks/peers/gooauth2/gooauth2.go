// Package gooauth2 measures go-oauth2/oauth2.
package gooauth2

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/go-oauth2/oauth2/v4"
	"github.com/go-oauth2/oauth2/v4/manage"
	"github.com/go-oauth2/oauth2/v4/models"
	"github.com/go-oauth2/oauth2/v4/server"
	"github.com/go-oauth2/oauth2/v4/store"

	"github.com/authtier/authtier/benchmarks/peers/bench"
)

// A site is go-oauth2 with one client, over its own memory store. It compares
// secrets as they are.
type site struct {
	server  *server.Server
	manager *manage.Manager
	store   oauth2.TokenStore
}

func newSite(tb testing.TB) *site {
	tb.Helper()
	s := &site{manager: manage.NewDefaultManager()}
	var err error
	s.store, err = store.NewMemoryTokenStore()
	bench.Must(tb, err)
	clients := store.NewClientStore()
	bench.Must(tb, clients.Set(bench.ClientID, &models.Client{ID: bench.ClientID, Secret: bench.ClientSecret}))
	s.manager.MapTokenStorage(s.store)
	s.manager.MapClientStorage(clients)
	s.server = server.NewDefaultServer(s.manager)
	s.server.SetClientScopeHandler(func(r *oauth2.TokenGenerateRequest) (bool, error) {
		return r.Scope == "read" || r.Scope == "files", nil
	})
	return s
}

// ServeHTTP is the token endpoint.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.server.HandleTokenRequest(w, r)
}

// Opaque looks tokens up. The library knows no audiences and leaves scopes to
// its caller.
func Opaque(tb testing.TB) bench.Opaque {
	tb.Helper()
	s := newSite(tb)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info, err := s.server.ValidationBearerToken(r)
		if err != nil || !bench.HasScope(info.GetScope()) {
			bench.Refuse(w)
			return
		}
		bench.Admit(w, r, info)
	})
	expired := &models.Token{
		ClientID: bench.ClientID, Scope: bench.Scope, Access: "EXPIRED",
		AccessCreateAt: time.Now().Add(-2 * time.Hour), AccessExpiresIn: time.Hour,
	}
	bench.Must(tb, s.store.Create(tb.Context(), expired))
	return bench.Opaque{
		Party: bench.Party{Name: "go-oauth2", Handler: h},
		Good:  s.token(tb, bench.Scope),
		Bad: map[string]*http.Request{
			"an expiry past": bench.WithToken("EXPIRED"),
			"other scopes":   bench.WithToken(s.token(tb, "files")),
		},
	}
}

func (s *site) token(tb testing.TB, scope string) string {
	tb.Helper()
	info, err := s.manager.GenerateAccessToken(context.Background(), oauth2.ClientCredentials, &oauth2.TokenGenerateRequest{
		ClientID: bench.ClientID, ClientSecret: bench.ClientSecret, Scope: scope, Request: bench.Request(),
	})
	bench.Must(tb, err)
	return info.GetAccess()
}
