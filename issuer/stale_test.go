package issuer_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

// TestStale uses an issuer without Run. Half a minute after it has read the store, it
// accepts no token.
func TestStale(t *testing.T) {
	for _, allow := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			db := newStore(t)
			iss := newIssuer(t, db, issuer.Config{AllowStale: allow})
			opaque := newIssuer(t, db, issuer.Config{OpaqueTokens: true, AllowStale: allow})
			tokens := map[*issuer.Issuer]string{
				iss: mint(t, iss, issuer.Grant{Client: "app"}).AccessToken, opaque: mint(t, opaque, issuer.Grant{Client: "app"}).AccessToken,
			}
			for _, tt := range []struct {
				wait time.Duration
				want errorsx.Code
			}{{30 * time.Second, 0}, {time.Second, errorsx.Internal}, {time.Minute, errorsx.Internal}} {
				time.Sleep(tt.wait)
				for i, token := range tokens {
					if _, code := validate(t, i, token); code != tt.want {
						t.Errorf("AllowStale %t, %v later: got %v, want %v", allow, tt.wait, code, tt.want)
					}
				}
			}
		})
	}
}

// TestStaleTokensNeedRun uses a store that cannot be read. Stale tokens are accepted
// only with AllowStale, and only while Run runs.
func TestStaleTokensNeedRun(t *testing.T) {
	for _, allow := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := &flaky{Store: newStore(t)}
			iss := newIssuer(t, f, issuer.Config{AllowStale: allow, Log: discard})
			token := middleware.Credential{Scheme: middleware.SchemeBearer, Secret: mint(t, iss, issuer.Grant{Client: "app"}).AccessToken}
			look := func(when string, want errorsx.Code, cause string) {
				t.Helper()
				_, err := iss.Validate(t.Context(), token)
				if codeOf(err) != want || err != nil && !strings.Contains(err.Error(), cause) {
					t.Errorf("AllowStale %t, %s: got %v, want %v because %q", allow, when, err, want, cause)
				}
			}
			f.down.Store(true)
			time.Sleep(time.Minute)
			look("before Run", errorsx.Internal, "Run was never called")

			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- iss.Run(ctx) }()
			time.Sleep(time.Minute)
			if allow {
				look("while Run runs", 0, "")
			} else {
				look("while Run runs", errorsx.Internal, "the store cannot be read")
			}

			cancel()
			<-ended
			look("after Run", errorsx.Internal, "Run has ended")
		})
	}
}

// TestRevocationThatFails checks that a failed revocation is never answered with 200.
func TestRevocationThatFails(t *testing.T) { // O13
	iss := newIssuer(t, revokesNothing{newStore(t)}, issuer.Config{})
	tokens := mint(t, iss, issuer.Grant{Client: "app", User: "ada", Refresh: true})
	h := inRFC(iss.RevokeHandler())
	for name, token := range map[string]string{"access token": tokens.AccessToken, "refresh token": tokens.RefreshToken} {
		r := httptest.NewRequest("POST", "/", strings.NewReader("token="+token))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth("app", "app-secret")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 503 || answerCode(w) != "AUTH-8" {
			t.Errorf("%s: got %d %s, want 503 AUTH-8", name, w.Code, w.Body)
		}
	}
}

// revokesNothing is a store that cannot be written to.
type revokesNothing struct{ *memory.Store }

func (revokesNothing) Revoke(context.Context, ...store.Change) error { return errDown }

// TestAccessEndsWithTheFamily configures access tokens that would outlive their family.
func TestAccessEndsWithTheFamily(t *testing.T) {
	iss := newIssuer(t, nil, issuer.Config{AccessTTL: 3 * time.Hour, RefreshTTL: time.Hour, FamilyTTL: 2 * time.Hour})
	for want, grant := range map[int64]issuer.Grant{
		3 * 3600: {Client: "app"}, 2 * 3600: {Client: "app", User: "ada", Refresh: true}, 60: {Client: "app", User: "ada", Refresh: true, TTL: time.Minute},
	} {
		if got := mint(t, iss, grant).ExpiresIn; got != want {
			t.Errorf("%+v: expires in %d s, want %d", grant, got, want)
		}
	}
}

// slowSnapshot is a store with very many revocations.
type slowSnapshot struct{ *memory.Store }

func (s slowSnapshot) Snapshot(ctx context.Context) ([]store.Change, store.Cursor, error) {
	select {
	case <-time.After(5 * time.Second):
		return s.Store.Snapshot(ctx)
	case <-ctx.Done():
		return nil, store.Cursor{}, ctx.Err()
	}
}

// TestSlowSnapshot starts an issuer on a store with very many revocations.
func TestSlowSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if _, err := issuer.New(t.Context(), testURL, slowSnapshot{memory.New()}, &issuer.Config{AllowEphemeralKeys: true}); err != nil {
			t.Error(err)
		}
	})
}
