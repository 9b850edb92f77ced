package issuer_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// hangingUp is a store that cancels the request's context at one of its calls, counted
// from one.
type hangingUp struct {
	store.Store
	calls, at int
	hangUp    context.CancelFunc
}

func (h *hangingUp) call() {
	if h.calls++; h.calls == h.at {
		h.hangUp()
	}
}

func (h *hangingUp) Client(ctx context.Context, id string) (*store.Client, error) {
	h.call()
	return h.Store.Client(ctx, id)
}

func (h *hangingUp) User(ctx context.Context, login string) (*store.User, error) {
	h.call()
	return h.Store.User(ctx, login)
}

func (h *hangingUp) APIKey(ctx context.Context, d store.Digest) (*store.APIKey, error) {
	h.call()
	return h.Store.APIKey(ctx, d)
}

func (h *hangingUp) Token(ctx context.Context, d store.Digest) (*store.Token, error) {
	h.call()
	return h.Store.Token(ctx, d)
}

func (h *hangingUp) PutTokens(ctx context.Context, ts ...store.Token) error {
	h.call()
	return h.Store.PutTokens(ctx, ts...)
}

func (h *hangingUp) RotateRefreshToken(ctx context.Context, old store.Digest, client string, now time.Time, grace time.Duration, next ...store.Token) error {
	h.call()
	return h.Store.RotateRefreshToken(ctx, old, client, now, grace, next...)
}

func (h *hangingUp) Revoke(ctx context.Context, cs ...store.Change) error {
	h.call()
	return h.Store.Revoke(ctx, cs...)
}

// TestS03HungUpAtEachCall lets the client disconnect at each call of the store in turn.
// No request is refused because of that, no change is made by half, and the same
// request succeeds the next time.
func TestS03HungUpAtEachCall(t *testing.T) {
	type operation func(ctx context.Context) (client string, err error)
	for name, prepare := range map[string]func(t *testing.T, iss *issuer.Issuer) operation{
		"API key": func(_ *testing.T, iss *issuer.Issuer) operation {
			return identified(iss, middleware.Credential{Scheme: middleware.SchemeAPIKey, Secret: "key1"})
		},
		"secret": func(_ *testing.T, iss *issuer.Issuer) operation {
			return identified(iss, middleware.Credential{Scheme: middleware.SchemeBasic, Username: "app", Secret: "app-secret"})
		},
		"opaque token": func(t *testing.T, iss *issuer.Issuer) operation {
			return identified(iss, middleware.Credential{Scheme: middleware.SchemeBearer, Secret: mint(t, iss, issuer.Grant{Client: "app"}).AccessToken})
		},
		"mint": func(_ *testing.T, iss *issuer.Issuer) operation {
			return func(ctx context.Context) (string, error) {
				_, err := iss.Mint(ctx, issuer.Grant{Client: "app", User: "ada", Refresh: true})
				return "app", err
			}
		},
		"refresh": func(t *testing.T, iss *issuer.Issuer) operation {
			token := mint(t, iss, issuer.Grant{Client: "app", User: "ada", Refresh: true}).RefreshToken
			return func(ctx context.Context) (string, error) {
				_, err := iss.Refresh(ctx, "app", token, "")
				return "app", err
			}
		},
		"revoke": func(t *testing.T, iss *issuer.Issuer) operation {
			token := mint(t, iss, issuer.Grant{Client: "app", User: "ada", Refresh: true}).RefreshToken
			return func(ctx context.Context) (string, error) {
				err := iss.RevokeToken(ctx, token)
				if errors.Is(err, store.ErrNotFound) && ctx == t.Context() { // the request that was cut off has revoked it
					err = nil
				}
				return "app", err
			}
		},
	} {
		for at := 1; ; at++ {
			h := &hangingUp{Store: newStore(t)}
			iss := newIssuer(t, h, issuer.Config{OpaqueTokens: true})
			do := prepare(t, iss)
			ctx, cancel := context.WithCancel(t.Context())
			h.calls, h.at, h.hangUp = 0, at, cancel
			_, err := do(ctx)
			reached := h.calls >= at
			h.at = 0
			cancel()
			what := fmt.Sprintf("S03 %s, hung up at call %d", name, at)
			if code := codeOf(err); reached && err != nil && !code.IsServerError() {
				t.Errorf("%s: refused with %v", what, err)
			}
			if got, again := do(t.Context()); name != "refresh" || err != nil { // a refresh that succeeded uses the token up
				if again != nil || got != "app" {
					t.Errorf("%s: next time %q, %v", what, got, again)
				}
			}
			other := identified(iss, middleware.Credential{Scheme: middleware.SchemeBasic, Username: "other", Secret: "other-secret"})
			if got, err := other(t.Context()); got != "other" || err != nil {
				t.Errorf("%s: another gets %q, %v", what, got, err)
			}
			if !reached {
				if at == 1 {
					t.Errorf("%s: the store was not asked", what)
				}
				break
			}
		}
	}
}

func identified(v middleware.Validator, c middleware.Credential) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		id, err := v.Validate(ctx, c)
		if err != nil {
			return "", err
		}
		return id.Client, nil
	}
}

// TestR01ReplayedByWhoHangsUp uses a refresh token a second time, and disconnects at
// each call of the store in turn. The family ends all the same. Revocations take effect
// too.
func TestR01ReplayedByWhoHangsUp(t *testing.T) {
	for name, request := range map[string]func(iss *issuer.Issuer, refresh string) (h http.Handler, form url.Values){
		"replay": func(iss *issuer.Issuer, refresh string) (http.Handler, url.Values) {
			return iss.TokenHandler(), url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}
		},
		"revocation": func(iss *issuer.Issuer, refresh string) (http.Handler, url.Values) {
			return iss.RevokeHandler(), url.Values{"token": {refresh}}
		},
	} {
		for at := 1; ; at++ {
			h := &hangingUp{Store: newStore(t)}
			iss := newIssuer(t, h, issuer.Config{OpaqueTokens: true})
			old := mint(t, iss, issuer.Grant{Client: "app", User: "ada", Refresh: true})
			next, err := iss.Refresh(t.Context(), "app", old.RefreshToken, "")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			h.calls, h.at, h.hangUp = 0, at, cancel
			endpoint, form := request(iss, old.RefreshToken)
			r := httptest.NewRequest("POST", "/", strings.NewReader(form.Encode())).WithContext(ctx)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.SetBasicAuth("app", "app-secret")
			endpoint.ServeHTTP(httptest.NewRecorder(), r)
			reached := h.calls >= at
			h.at = 0
			cancel()
			bearer := identified(iss, middleware.Credential{Scheme: middleware.SchemeBearer, Secret: next.AccessToken})
			if _, err := bearer(t.Context()); !errors.Is(err, errorsx.UnknownToken) {
				t.Errorf("%s, hung up at call %d: the family's newer token: got %v, want AUTH-12", name, at, err)
			}
			if !reached {
				if at < 3 {
					t.Errorf("%s: the store was asked %d times", name, at-1)
				}
				break
			}
		}
	}
}
