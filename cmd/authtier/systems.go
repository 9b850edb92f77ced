package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/issuer/partner"
	"github.com/authtier/authtier/issuer/session"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
	"github.com/authtier/authtier/store/meter"
)

// A demoServer is the four systems on one mux. They share the issuer's URL and
// the keys, and nothing else: each has its own store and its own audience.
type demoServer struct {
	ctx  context.Context
	url  string
	keys *issuer.KeySet
	mux  *http.ServeMux
}

func newDemo(ctx context.Context, url string, key issuer.SigningKey, sessionTimeout time.Duration) (http.Handler, error) {
	keys, err := issuer.NewKeySet(key)
	if err != nil {
		return nil, err
	}
	d := &demoServer{ctx: ctx, url: url, keys: keys, mux: http.NewServeMux()}
	tiers, err := d.tiers()
	if err := errors.Join(err, d.oauth2(), d.session(sessionTimeout), d.partner()); err != nil {
		return nil, err
	}
	// The other systems guard themselves, route by route.
	for _, prefix := range []string{"/.well-known/", "/oauth2/", "/v1/", "/api/", "/partner/"} {
		tiers[prefix] = middleware.Unguarded
	}
	return middleware.Tiers(tiers, nil)(errorsx.Mux(d.mux, nil)), nil
}

// issuer returns an issuer over a new store with these records. The users come with
// their passwords, which are stored as hashes.
func (d *demoServer) issuer(cfg issuer.Config, clients []store.Client, users ...store.User) (*issuer.Issuer, *memory.Store, error) {
	db := memory.New()
	for _, c := range clients {
		if err := db.CreateClient(d.ctx, c); err != nil {
			return nil, nil, err
		}
	}
	var err error
	for n := range users {
		if users[n].Password, err = issuer.HashPassword(d.ctx, users[n].Password); err != nil {
			return nil, nil, err
		}
	}
	if err := db.CreateUsers(d.ctx, users...); err != nil {
		return nil, nil, err
	}
	if cfg.Throttle == nil {
		cfg.Throttle, err = newThrottle()
	}
	if err != nil {
		return nil, nil, err
	}
	cfg.Issuer, cfg.Audience, cfg.Keys, cfg.Store = d.url, d.url+cfg.Audience, d.keys, db
	cfg.AllowEphemeralKeys = true // the keys end with the demo
	i, err := issuer.New(d.ctx, cfg)
	if err == nil {
		go i.Run(d.ctx)
	}
	return i, db, err
}

// newThrottle returns the throttle of one system, whose accounts are no other's. It
// lets people try things out.
func newThrottle() (*middleware.Throttle, error) {
	return middleware.NewThrottle(&middleware.ThrottleConfig{Failures: 1000, Window: time.Minute})
}

// cacheSize is the number of credentials that each system remembers.
const cacheSize = 10_000

func secret(s string) []store.Secret { return []store.Secret{{ID: "s1", Digest: store.DigestOf(s)}} }

var rfc = &errorsx.Writer{Dialect: errorsx.RFC}

func (d *demoServer) tiers() (middleware.TierTable, error) {
	iss, db, err := d.issuer(issuer.Config{
		Audience:  "/tiers",
		AccessTTL: 24 * time.Hour, RefreshTTL: 200 * 24 * time.Hour,
	}, []store.Client{{
		ID: "demo-app", Scopes: []string{"user"}, Default: []string{"user"},
		Grants: []string{store.GrantPassword, store.GrantRefreshToken},
	}}, store.User{Login: "user_email@email.com", Password: "user_password"})
	if err != nil {
		return nil, err
	}
	err = db.CreateAPIKeys(d.ctx, store.APIKey{ID: "demo", Client: "demo-app", Digest: store.DigestOf("my_api_key")})
	if err != nil {
		return nil, err
	}
	d.mux.HandleFunc("GET /ext/ping", pong)
	d.mux.HandleFunc("GET /public/ping", pong)
	d.mux.Handle("/public/token", iss.TokenHandler(issuer.HTTPConfig{AllowPassword: true, BehindAPIKey: true}))
	d.mux.HandleFunc("GET /user/me", me)
	d.mux.HandleFunc("GET /pro/ping", pong)

	auth, err := middleware.NewCache(iss, cacheSize, nil)
	if err != nil {
		return nil, err
	}
	key := middleware.APIKey(auth, nil)
	user := middleware.Bearer(auth, &middleware.BearerConfig{RequireUser: true})
	both := middleware.Chain(key, user, middleware.Scope("user"))
	return middleware.TierTable{"/ext/": middleware.Unguarded, "/public/": key, "/user/": both, "/pro/": both}, nil
}

func (d *demoServer) oauth2() error {
	iss, _, err := d.issuer(issuer.Config{Audience: "/oauth2"}, []store.Client{{
		ID: "demo-client", Secrets: secret("demo-secret"),
		Scopes: []string{"base", "files", "upload_files"}, Default: []string{"base"},
		Grants: []string{store.GrantClientCredentials, store.GrantPassword, store.GrantRefreshToken},
	}}, store.User{Login: "user_email@email.com", Password: "user_password"})
	if err != nil {
		return err
	}
	endpoints := iss.Handler(issuer.HTTPConfig{AllowPassword: true, Errors: rfc})
	for _, path := range []string{
		"/oauth2/token", "/oauth2/introspect", "/oauth2/revoke",
		"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration", "/.well-known/jwks.json",
	} {
		d.mux.Handle(path, endpoints)
	}

	png, err := picture()
	if err != nil {
		return err
	}
	auth, err := middleware.NewCache(iss, cacheSize, nil)
	if err != nil {
		return err
	}
	bearer := middleware.Chain(middleware.Errors(rfc), middleware.Bearer(auth, nil))
	exposed := middleware.Chain(middleware.Errors(rfc), middleware.Bearer(auth, &middleware.BearerConfig{QuerySafe: []string{"files"}}))
	d.mux.Handle("GET /v1/img/{name}", middleware.Chain(exposed, middleware.Scope("files", "base"))(png))
	d.mux.Handle("POST /v1/files", middleware.Chain(bearer, middleware.Scope("upload_files", "base"))(http.HandlerFunc(created)))
	d.mux.Handle("GET /v1/me", middleware.Chain(bearer, middleware.Scope("base"))(http.HandlerFunc(me)))
	return nil
}

func (d *demoServer) session(timeout time.Duration) error {
	iss, db, err := d.issuer(issuer.Config{Audience: "/session"}, nil,
		store.User{Login: "demo", Password: "demo-password", First: "Demo", Last: "User", Lang: "ENU"})
	if err != nil {
		return err
	}
	sessions, err := session.New(iss, db, session.Config{
		Timeout: timeout, AllowQueryCredentials: true,
		Redirects: []session.Redirect{{URI: "http://127.0.0.1:9/callback"}},
	})
	if err != nil {
		return err
	}
	auth, err := middleware.NewCache(sessions, cacheSize, nil)
	if err != nil {
		return err
	}
	login := sessions.Handler(auth)
	d.mux.Handle("/api/login", login)
	d.mux.Handle("/api/logout", login)
	d.mux.Handle("GET /api/me", sessions.Bearer(auth)(http.HandlerFunc(me)))
	return nil
}

func (d *demoServer) partner() error {
	throttle, err := newThrottle()
	if err != nil {
		return err
	}
	iss, db, err := d.issuer(issuer.Config{Audience: "/partner", Throttle: throttle}, []store.Client{
		{ID: "demo-partner", Secrets: secret("demo-partner-secret"), Scopes: []string{"onboarding", partner.UsageScope}},
		{ID: "other-partner", Secrets: secret("other-partner-secret"), Scopes: []string{"onboarding"}},
	})
	if err != nil {
		return err
	}
	usage := meter.New(db)
	access, err := usage.Product("onboarding", "access", "api onboarding access")
	if err != nil {
		return err
	}
	p, err := partner.New(iss, usage, partner.Config{})
	if err != nil {
		return err
	}
	auth, err := middleware.NewCache(p, cacheSize, nil)
	if err != nil {
		return err
	}
	throttled := throttle.Around(auth)
	basic := middleware.Basic(throttled, nil)
	metered := http.NewServeMux()
	metered.Handle("GET /partner/onboarding", middleware.Chain(basic, middleware.Scope("onboarding"), middleware.Usage(access, nil))(http.HandlerFunc(pong)))
	d.mux.Handle("/partner/onboarding", errorsx.Mux(metered, nil))
	d.mux.Handle("/partner/", p.Handler(throttled))
	d.mux.Handle("/partner", errorsx.Mux(http.NewServeMux(), nil)) // no redirect to /partner/
	return nil
}

func pong(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("pong")) }

func created(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) }

// me answers who makes the request.
func me(w http.ResponseWriter, r *http.Request) {
	id, _ := middleware.IdentityFromContext(r.Context())
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	json.NewEncoder(w).Encode(struct {
		Client string            `json:"client_id"`
		User   string            `json:"user"`
		Scope  middleware.Scopes `json:"scope"`
	}{id.Client, id.User, id.Scopes})
}

// picture returns a handler that answers a small PNG, whatever its name.
func picture() (http.HandlerFunc, error) {
	img := image.NewGray(image.Rect(0, 0, 8, 8))
	img.SetGray(4, 4, color.Gray{Y: 255})
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return nil, err
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		w.Write(b.Bytes())
	}, nil
}
