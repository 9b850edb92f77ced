package session_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/issuer/session"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

// oneUser is a users table of somebody's own.
type oneUser store.User

func (u oneUser) User(_ context.Context, login string) (*store.User, error) {
	if login != u.Login {
		return nil, store.ErrNotFound
	}
	user := store.User(u)
	return &user, nil
}

// TestSessionsBelongToOneSystem has several session systems on one store, with a user
// of the same login each. A session is good where it was opened, and nowhere else.
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
		sessions, err := session.New(i, db, cfg)
		if err != nil {
			t.Fatal(err)
		}
		return &site{Handler: routes(sessions, sessions), iss: i, sessions: sessions}
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

// TestOwnUsersNeedATTL puts a cache around sessions of users in a table of which the
// issuer hears nothing.
func TestOwnUsersNeedATTL(t *testing.T) {
	s := newSite(t, session.Config{})
	if _, err := middleware.NewCache(s.sessions, 100, nil); err != nil {
		t.Errorf("users of the store: %v", err)
	}
	iss, err := issuer.New(t.Context(), "https://id.example", s.db, &issuer.Config{Users: oneUser{Login: "ada"}, AllowEphemeralKeys: true})
	if err != nil {
		t.Fatal(err)
	}
	own, err := session.New(iss, s.db, session.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := middleware.NewCache(own, 100, nil); err == nil {
		t.Error("users of a table of one's own, and no TTL: accepted")
	}
	if _, err := middleware.NewCache(own, 100, &middleware.CacheConfig{TTL: time.Minute}); err != nil {
		t.Errorf("with a TTL: %v", err)
	}
}

// TestRoutesDemandTheirOwnSessions gives the routes validators that prove no session
// of theirs.
func TestRoutesDemandTheirOwnSessions(t *testing.T) {
	s, other := newSite(t, session.Config{}), newSite(t, session.Config{})
	cache, err := middleware.NewCache(s.sessions, 100, nil)
	if err != nil {
		t.Fatal(err)
	}
	around := middleware.Around(cache, func(ctx context.Context, c middleware.Credential, next middleware.Validator) (*middleware.Identity, error) {
		return next.Validate(ctx, c)
	})
	for name, tt := range map[string]struct {
		v  middleware.Validator
		ok bool
	}{
		"themselves": {s.sessions, true}, "a cache": {cache, true}, "a decorator": {around, true},
		"by scheme":        {middleware.ByScheme{errorsx.SchemeBearer: s.sessions}, true},
		"the issuer":       {s.iss, false},
		"the passwords":    {s.iss.Passwords(), false},
		"another system's": {other.sessions, false},
		"nothing":          {nil, false},
	} {
		for route, wire := range map[string]func(){
			"Bearer": func() { s.sessions.Bearer(tt.v) }, "Handler": func() { s.sessions.Handler(tt.v) },
		} {
			func() {
				defer func() {
					if (recover() == nil) != tt.ok {
						t.Errorf("%s with %s: want ok %t", route, name, tt.ok)
					}
				}()
				wire()
			}()
		}
	}
}

// TestRedirectsKeepTheTokenPrivate allows http on loopback alone.
func TestRedirectsKeepTheTokenPrivate(t *testing.T) {
	s := newSite(t, session.Config{})
	for uri, ok := range map[string]bool{
		"https://app.example/cb": true, "http://localhost:3000/cb": true, "http://127.0.0.1/cb": true, "http://[::1]:9/cb": true,
		"http://app.example/cb": false, "http://127.0.0.1.evil.example/cb": false, "http://localhost.example/cb": false, "ftp://localhost/cb": false,
	} {
		_, err := session.New(s.iss, s.db, session.Config{Redirects: []session.Redirect{{URI: uri}}})
		if (err == nil) != ok {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

// TestWritersKeepTheDialect gives a writer for its realm, and no dialect.
func TestWritersKeepTheDialect(t *testing.T) {
	for name, w := range map[string]*errorsx.Writer{"no writer": nil, "a realm": {Realm: "shop"}} {
		s := newSite(t, session.Config{Errors: w})
		if got := s.me(issuer.Generate("authtier_st")); got != http.StatusUnauthorized {
			t.Errorf("%s: an unknown token is answered %d", name, got)
		}
		if w != nil && w.Dialect != nil {
			t.Error("the caller's writer was changed")
		}
	}
	rfc := newSite(t, session.Config{Errors: &errorsx.Writer{Dialect: func(errorsx.Place, *errorsx.Error) (int, string) { return 418, "" }}})
	if got := rfc.me(issuer.Generate("authtier_st")); got != 418 {
		t.Errorf("a dialect of one's own: got %d", got)
	}
}
