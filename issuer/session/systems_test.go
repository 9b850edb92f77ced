package session_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/issuer/internal/secret"
	"github.com/authtier/authtier/issuer/session"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

// oneUser is a users table outside the store.
type oneUser store.User

func (u oneUser) User(_ context.Context, login string) (*store.User, error) {
	if login != u.Login {
		return nil, store.ErrNotFound
	}
	user := store.User(u)
	return &user, nil
}

// TestSessionsBelongToOneSystem has several session systems on one store, each with a
// user of the same login. A session is valid only in the system that opened it.
func TestSessionsBelongToOneSystem(t *testing.T) {
	hash, err := issuer.HashPassword(t.Context(), "pw")
	if err != nil {
		t.Fatal(err)
	}
	db := memory.New()
	system := func(iss, audience string, cfg session.Config) *site {
		i, err := issuer.New(t.Context(), iss, db, &issuer.Config{Audience: audience, Users: oneUser{Login: "ada", Password: hash}, AllowEphemeralKeys: true})
		if err != nil {
			t.Fatal(err)
		}
		sessions, err := session.New(i, db, &cfg)
		if err != nil {
			t.Fatal(err)
		}
		return &site{Handler: routes(sessions), iss: i, sessions: sessions}
	}
	systems := map[string]*site{
		"shop":                    system("https://shop.example", "", session.Config{}),
		"another issuer":          system("https://admin.example", "", session.Config{}),
		"another audience":        system("https://shop.example", "admin", session.Config{}),
		"another base":            system("https://shop.example", "", session.Config{Base: "/api/admin"}),
		"without cookies":         system("https://shop.example", "", session.Config{Base: "/lax", AllowWithoutCookie: true}),
		"another issuer, one aud": system("https://admin.example", "https://shop.example", session.Config{}),
	}
	bases := map[string]string{"another base": "/api/admin", "without cookies": "/lax"}
	for opened, s := range systems {
		base := bases[opened]
		if base == "" {
			base = "/api"
		}
		w := s.serve("GET", base+"/login", func(r *http.Request) { r.SetBasicAuth("ada", "pw") })
		if w.Code != 200 {
			t.Fatalf("%s: login: got %d %s", opened, w.Code, w.Body)
		}
		token, cookie := w.Body.String(), w.Result().Cookies()[0]
		for asked, other := range systems {
			want := http.StatusUnauthorized
			if asked == opened {
				want = http.StatusOK
			}
			if got := other.me(token, cookie); got != want {
				t.Errorf("a session of %q at %q: got %d, want %d", opened, asked, got, want)
			}
		}
	}

	// A second node of the same system knows its sessions.
	token, cookie := systems["shop"].login(t)
	if got := system("https://shop.example", "", session.Config{}).me(token, cookie); got != http.StatusOK {
		t.Errorf("at another node: got %d", got)
	}
}

// TestOwnUsersAreAskedEachTime disables two users: one in the store, where the issuer
// learns of it, and one in a table of which it learns nothing. Both are refused at the
// next request.
func TestOwnUsersAreAskedEachTime(t *testing.T) {
	hash, err := issuer.HashPassword(t.Context(), "pw")
	if err != nil {
		t.Fatal(err)
	}
	db, user := memory.New(), &store.User{Login: "ada", Password: hash}
	table := changing{user}
	iss, err := issuer.New(t.Context(), "https://id.example", db, &issuer.Config{Users: table, AllowEphemeralKeys: true})
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := session.New(iss, db, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{Handler: routes(sessions), iss: iss, sessions: sessions}
	token, cookie := s.login(t)
	for range 2 {
		if got := s.me(token, cookie); got != http.StatusOK {
			t.Fatalf("logged in: got %d", got)
		}
	}
	user.Disabled = true
	if got := s.me(token, cookie); got != http.StatusUnauthorized {
		t.Errorf("disabled in a table of one's own: got %d", got)
	}
}

// changing is a users table outside the store, with one user that changes.
type changing struct{ user *store.User }

func (c changing) User(ctx context.Context, login string) (*store.User, error) {
	return oneUser(*c.user).User(ctx, login)
}

// TestRedirectsKeepTheTokenPrivate allows http only on loopback.
func TestRedirectsKeepTheTokenPrivate(t *testing.T) {
	s := newSite(t, session.Config{})
	for uri, ok := range map[string]bool{
		"https://app.example/cb": true, "http://localhost:3000/cb": true, "http://127.0.0.1/cb": true, "http://[::1]:9/cb": true,
		"http://app.example/cb": false, "http://127.0.0.1.evil.example/cb": false, "http://localhost.example/cb": false, "ftp://localhost/cb": false,
	} {
		_, err := session.New(s.iss, s.db, &session.Config{Redirects: []session.Redirect{{URI: uri}}})
		if (err == nil) != ok {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

// TestWritersKeepTheDialect puts a writer outside that has a realm but no dialect.
func TestWritersKeepTheDialect(t *testing.T) {
	unknown := secret.Generate("authtier_st")
	for name, w := range map[string]*errorsx.Writer{"no writer": nil, "a realm": {Realm: "shop"}} {
		s := newSite(t, session.Config{})
		if w != nil {
			s.Handler = middleware.Errors(w)(s.Handler)
		}
		answer := s.serve("GET", "/api/me", carrying(unknown))
		if answer.Code != http.StatusUnauthorized || strings.Contains(answer.Header().Get("WWW-Authenticate"), "shop") != (w != nil) {
			t.Errorf("%s: an unknown token is answered %d, %v", name, answer.Code, answer.Header())
		}
		if w != nil && w.Dialect != nil {
			t.Error("the caller's writer was changed")
		}
	}
	own := newSite(t, session.Config{})
	own.Handler = middleware.Errors(&errorsx.Writer{Dialect: func(errorsx.Place, *errorsx.Error) (int, string) { return 418, "" }})(own.Handler)
	if got := own.me(unknown); got != 418 {
		t.Errorf("a dialect of one's own: got %d", got)
	}
}

// TestNewRefusesNothing passes nil, and a nil pointer that looks like a store.
func TestNewRefusesNothing(t *testing.T) {
	db := memory.New()
	iss, err := issuer.New(t.Context(), "https://id.example", db, &issuer.Config{AllowEphemeralKeys: true})
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]store.Sessions{"nil": nil, "a nil pointer": (*memory.Store)(nil)} {
		if _, err := session.New(iss, s, nil); err == nil {
			t.Errorf("store %s: accepted", name)
		}
	}
	if _, err := session.New(nil, db, nil); err == nil {
		t.Error("no issuer: accepted")
	}
}
