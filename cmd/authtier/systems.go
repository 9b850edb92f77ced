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
	"github.com/authtier/authtier/middleware/throttle"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
	"github.com/authtier/authtier/store/meter"
)

// A demoServer serves the four systems on one mux. They share the issuer's URL and the
// keys and nothing else: each has its own store and its own audience.
type demoServer struct {
	http.Handler
	ctx     context.Context
	url     string
	keys    *issuer.KeySet
	mux     *http.ServeMux
	issuers []*issuer.Issuer
}

func newDemo(ctx context.Context, url string, key issuer.SigningKey, sessionTimeout time.Duration) (*demoServer, error) {
	keys, err := issuer.NewKeySet(key)
	if err != nil {
		return nil, err
	}
	d := &demoServer{ctx: ctx, url: url, keys: keys, mux: http.NewServeMux()}
	tiers, err := d.tiers()
	if err := errors.Join(err, d.oauth2(), d.session(sessionTimeout), d.partner()); err != nil {
		d.close()
		return nil, err
	}

	// The other systems protect their own routes.
	for _, prefix := range []string{"/.well-known/", "/oauth2/", "/v1/", "/api/", "/partner/"} {
		tiers[prefix] = middleware.Unguarded
	}
	d.Handler = middleware.Tiers(tiers, nil)(errorsx.Mux(d.mux))
	return d, nil
}

// close closes the issuers. Call it after the last request.
func (d *demoServer) close() {
	for _, iss := range d.issuers {
		iss.Close()
	}
}

// issuer opens an issuer over a new store, and creates the clients and users. Clients
// come with their secrets. Users come with their passwords, of which only hashes are
// stored.
func (d *demoServer) issuer(cfg issuer.Config, clients []store.Client, users ...person) (*issuer.Issuer, *memory.Store, error) {
	db := memory.New()
	for _, c := range clients {
		if err := db.CreateClient(d.ctx, c); err != nil {
			return nil, nil, err
		}
	}

	var err error
	if cfg.Throttle, err = newThrottle(); err != nil {
		return nil, nil, err
	}

	cfg.Audience, cfg.Keys = d.url+cfg.Audience, d.keys
	iss, err := issuer.Open(d.ctx, d.url, db, &cfg)
	if err != nil {
		return nil, nil, err
	}
	d.issuers = append(d.issuers, iss)

	for _, p := range users {
		if err := iss.CreateUser(d.ctx, p.User, p.password); err != nil {
			return nil, nil, err
		}
	}
	return iss, db, nil
}

// A person is a user with a password.
type person struct {
	store.User
	password string
}

// demoUser is the user of the tiers and oauth2 systems.
var demoUser = person{store.User{Login: "user_email@email.com"}, "user_password"}

// newThrottle returns the throttle of one system. Each system has its own, because
// their accounts are separate. It allows many failures, so that people can try things
// out.
func newThrottle() (*throttle.Throttle, error) {
	return throttle.New(&throttle.Config{Failures: 1000, Window: time.Minute})
}

func secret(s string) []store.Secret { return []store.Secret{{ID: "s1", Digest: store.DigestOf(s)}} }

var rfc = &errorsx.Writer{Dialect: errorsx.RFC}

func (d *demoServer) tiers() (middleware.TierTable, error) {
	iss, db, err := d.issuer(issuer.Config{
		Audience: "/tiers", AllowPassword: true, BehindAPIKey: true,
		AccessTTL: 24 * time.Hour, RefreshTTL: 200 * 24 * time.Hour,
	}, []store.Client{{
		ID: "demo-app", Scopes: []string{"user"}, Default: []string{"user"},
		Grants: []string{store.GrantPassword, store.GrantRefreshToken},
	}}, demoUser)
	if err != nil {
		return nil, err
	}
	err = db.CreateAPIKeys(d.ctx, store.APIKey{ID: "demo", Client: "demo-app", Digest: store.DigestOf("my_api_key")})
	if err != nil {
		return nil, err
	}

	d.mux.HandleFunc("GET /ext/ping", pong)
	d.mux.HandleFunc("GET /public/ping", pong)
	d.mux.Handle("/public/token", iss.TokenHandler())
	d.mux.HandleFunc("GET /user/me", me)
	d.mux.HandleFunc("GET /pro/ping", pong)

	key := middleware.APIKey(iss.Validator(), nil)
	user := middleware.Bearer(iss.Validator(), &middleware.BearerConfig{RequireUser: true})
	both := middleware.Chain(key, user, middleware.Scope("user"))
	return middleware.TierTable{"/ext/": middleware.Unguarded, "/public/": key, "/user/": both, "/pro/": both}, nil
}

func (d *demoServer) oauth2() error {
	iss, _, err := d.issuer(issuer.Config{Audience: "/oauth2", AllowPassword: true}, []store.Client{{
		ID: "demo-client", Secrets: secret("demo-secret"),
		Scopes: []string{"base", "files", "upload_files"}, Default: []string{"base"},
		Grants: []string{store.GrantClientCredentials, store.GrantPassword, store.GrantRefreshToken},
	}}, demoUser)
	if err != nil {
		return err
	}

	own := http.NewServeMux()
	iss.Register(own)
	endpoints := middleware.Errors(rfc)(errorsx.Mux(own))
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

	auth := iss.Validator()
	bearer := middleware.Chain(middleware.Errors(rfc), middleware.Bearer(auth, nil))
	exposed := middleware.Chain(middleware.Errors(rfc), middleware.Bearer(auth, &middleware.BearerConfig{QuerySafe: []string{"files"}}))
	d.mux.Handle("GET /v1/img/{name}", middleware.Chain(exposed, middleware.Scope("files", "base"))(png))
	d.mux.Handle("POST /v1/files", middleware.Chain(bearer, middleware.Scope("upload_files", "base"))(http.HandlerFunc(created)))
	d.mux.Handle("GET /v1/me", middleware.Chain(bearer, middleware.Scope("base"))(http.HandlerFunc(me)))
	return nil
}

func (d *demoServer) session(timeout time.Duration) error {
	iss, db, err := d.issuer(issuer.Config{Audience: "/session"}, nil,
		person{store.User{Login: "demo", First: "Demo", Last: "User", Lang: "ENU"}, "demo-password"})
	if err != nil {
		return err
	}

	sessions, err := session.New(iss, db, &session.Config{
		Timeout: timeout, AllowQueryCredentials: true,
		Redirects: []session.Redirect{{URI: "http://127.0.0.1:9/callback"}},
	})
	if err != nil {
		return err
	}

	sessions.Register(d.mux)
	d.mux.Handle("GET /api/me", sessions.Bearer()(http.HandlerFunc(me)))
	return nil
}

func (d *demoServer) partner() error {
	iss, db, err := d.issuer(issuer.Config{Audience: "/partner"}, []store.Client{
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
	p, err := partner.New(iss, usage, nil)
	if err != nil {
		return err
	}

	metered := http.NewServeMux()
	metered.Handle("GET /partner/onboarding", middleware.Chain(p.Basic(), middleware.Scope("onboarding"), middleware.Usage(access, nil))(http.HandlerFunc(pong)))
	d.mux.Handle("/partner/onboarding", errorsx.Mux(metered))
	p.Register(d.mux)
	d.mux.Handle("/partner/", p.Basic()(errorsx.Mux(http.NewServeMux()))) // all other paths below it
	d.mux.Handle("/partner", errorsx.Mux(http.NewServeMux()))             // otherwise the mux would redirect to /partner/
	return nil
}

func pong(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("pong")) }

func created(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) }

// me writes the identity of the request.
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

// picture returns a handler that serves a small PNG for every name.
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
