// Package session logs people in with login and password. It keeps them logged in by a
// token and a cookie that work only together.
//
//	sessions, err := session.New(iss, db, nil)
//	sessions.Register(mux)
//	mux.Handle("/api/me", sessions.Bearer()(me))
//
// The token is in a header of its own, which no other site can send. The routes of a
// session therefore need no protection against cross-site requests.
//
// The identity of a session has a user and no client. [middleware.Usage] refuses it
// with AUTH-8, because nobody could be billed.
package session

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/issuer/internal/form"
	"github.com/authtier/authtier/issuer/internal/hook"
	"github.com/authtier/authtier/issuer/internal/secret"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// Config configures a [Manager]. The zero value is ready to use.
type Config struct {
	// Base is the path of the routes: {Base}/login and {Base}/logout, and the
	// Path of the cookie. If empty, it is "/api".
	Base string

	// Timeout ends a session that is not used: five minutes, if 0, and at least
	// a second. MaxAge ends any session: twelve hours, if 0, and at most
	// [middleware.MaxLifetime], for which revocations of sessions are remembered.
	Timeout, MaxAge time.Duration

	// Cookie is the name of the session cookie. If empty, it is "JSESSIONID".
	Cookie string

	// Header is what carries the token. If empty, it is
	// "X-Simplicite-Authorization".
	Header string

	// Redirects are where a login may send the browser with its token. If
	// empty, nowhere.
	Redirects []Redirect

	// AllowQueryCredentials lets GET requests log in by username and password in
	// the URL, where logs and histories keep them.
	AllowQueryCredentials bool

	// AllowWithoutCookie makes the token work without the cookie, as receivers
	// of a redirect need. Who sees the token has the session.
	AllowWithoutCookie bool
}

// Dialect is [errorsx.RFC], but whatever is wrong with credentials is a 401. The
// routes of a [Manager] and what is behind its wrapper answer in it, unless the
// nearest [middleware.Errors] outside has a dialect of its own.
func Dialect(p errorsx.Place, e *errorsx.Error) (status int, oauth string) {
	status, oauth = errorsx.RFC(p, e)
	switch e.Code {
	case errorsx.CredentialsIncorrect, errorsx.CredentialsMissing, errorsx.CredentialsMalformed,
		errorsx.WrongTokenType, errorsx.BadSignature, errorsx.TokenExpired, errorsx.UnknownToken:
		status = http.StatusUnauthorized
	}
	return status, oauth
}

// A Manager opens, confirms and ends sessions. Its methods may be called concurrently.
type Manager struct {
	issuer      *issuer.Issuer
	revocations hook.Sessions
	store       store.Sessions
	cfg         Config
	system      string // names this system in digests
	validator   middleware.Validator

	mu     sync.Mutex
	visits map[string]*visit // by session ID
	sweep  int               // size at which visits are swept next
}

// New returns the manager of the sessions of the issuer's users, kept in s. cfg may
// be nil. The error joins everything that is wrong.
//
// One store may serve several session systems. A session belongs to the system
// that opened it, which is known by the issuer's URL and audience and by Base. All
// others refuse its token and its cookie.
//
// The manager remembers sessions as [issuer.Issuer.Validator] remembers credentials.
// If the users are in a table of which the issuer hears nothing
// ([issuer.Config].Users), it asks the store and the table at each request.
func New(i *issuer.Issuer, s store.Sessions, cfg *Config) (*Manager, error) {
	var own Config
	if cfg != nil {
		own = *cfg
	}
	setDefaults(&own)
	errs := []error{own.check()}
	if i == nil {
		errs = append(errs, errors.New("no issuer"))
	}
	if s == nil {
		errs = append(errs, errors.New("no store"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("session: New: %w", err)
	}

	system := store.DigestOf(fmt.Sprintf("session system %q %q %q", i.URL(), i.Audience(), own.Base))
	m := &Manager{
		issuer: i, revocations: hook.SessionsOf(i, own.MaxAge), store: s, cfg: own, system: string(system[:]),
		visits: map[string]*visit{}, sweep: minSweep,
	}
	m.validator = validator{m}
	if !m.revocations.OwnUsers() {
		m.validator = hook.Guarded(i, m.validator)
	}
	return m, nil
}

// digest returns what the store keeps of a token or cookie. Another system on the
// same store does not find it.
func (m *Manager) digest(secret string) store.Digest { return store.DigestOf(m.system + secret) }

func setDefaults(cfg *Config) {
	cfg.Base = cmp.Or(cfg.Base, "/api")
	cfg.Cookie = cmp.Or(cfg.Cookie, "JSESSIONID")
	cfg.Header = cmp.Or(cfg.Header, "X-Simplicite-Authorization")
	cfg.Timeout = cmp.Or(cfg.Timeout, 5*time.Minute)
	cfg.MaxAge = cmp.Or(cfg.MaxAge, max(12*time.Hour, cfg.Timeout))
}

func (cfg *Config) check() error {
	var errs []error
	errs = append(errs, form.CheckBase(cfg.Base))
	if !middleware.ValidHeaderName(cfg.Header) {
		errs = append(errs, fmt.Errorf("header %q: not a header name", cfg.Header))
	}
	if cfg.Timeout < time.Second || cfg.MaxAge < cfg.Timeout || cfg.MaxAge > middleware.MaxLifetime {
		errs = append(errs, fmt.Errorf("timeout is %v and max age %v, expected at least 1s, and then at least the timeout and at most %v",
			cfg.Timeout, cfg.MaxAge, middleware.MaxLifetime))
	}
	if err := (&http.Cookie{Name: cfg.Cookie, Value: "x"}).Valid(); err != nil {
		errs = append(errs, fmt.Errorf("cookie name: %w", err))
	}
	for _, r := range cfg.Redirects {
		errs = append(errs, r.check())
	}
	return errors.Join(errs...)
}

// tokenPrefix begins session tokens.
const tokenPrefix = "authtier_st"

// open starts a session for a user who is authenticated.
func (m *Manager) open(ctx context.Context, u *store.User) (token, cookie string, err error) {
	token, cookie = secret.Generate(tokenPrefix), rand.Text()+rand.Text() // 256 bits and more each
	now := time.Now()
	d := m.digest(token)
	err = m.store.PutSession(ctx, store.Session{
		ID: sessionID(d), Token: d, Cookie: m.digest(cookie), User: u.Login, UserVersion: u.Version,
		Expires: now.Add(m.cfg.Timeout), Ends: now.Add(m.cfg.MaxAge),
	})
	if err != nil {
		return "", "", fmt.Errorf("session: opening: %w", err)
	}
	return token, cookie, nil
}

// sessionID names a session in logs and revocations, and gives nothing away.
func sessionID(token store.Digest) string { return fmt.Sprintf("%x", token[:16]) }

// A validator validates the tokens of a manager's sessions. That the cookie came with
// the token is for confirm.
type validator struct{ *Manager }

// Validate implements [middleware.Validator].
func (v validator) Validate(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
	if !secret.WellFormed(tokenPrefix, c.Secret) {
		return nil, errorsx.UnknownToken
	}
	m := v.Manager
	rec, err := m.store.Session(ctx, m.digest(c.Secret))
	if errors.Is(err, store.ErrNotFound) {
		return nil, errorsx.UnknownToken
	}
	if err != nil {
		return nil, fmt.Errorf("session: reading: %w", err)
	}
	if m.revocations.IsRevoked(rec.ID) {
		return nil, errorsx.UnknownToken // in a store of its own it may live on
	}
	expires := m.seen(rec, c.Now())
	if !expires.After(c.Now()) {
		return nil, errorsx.TokenExpired
	}
	u, err := m.issuer.User(ctx, rec.User)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, errorsx.UnknownToken
	case errors.Is(err, errorsx.Internal): // the issuer is closed
		return nil, err
	case err != nil:
		return nil, &errorsx.Error{Code: errorsx.CredentialStore, Err: err}
	case u.Disabled || u.Version > rec.UserVersion:
		return nil, errorsx.UnknownToken
	}
	id := middleware.Identity{
		Issuer: m.issuer.URL(), User: u.Login, Methods: middleware.ByToken, TokenID: rec.ID, Expires: expires,
	}
	if !m.cfg.AllowWithoutCookie {
		id = id.WithConfirmation(string(rec.Cookie[:]))
	}
	return &id, nil
}

// Subscribe implements [middleware.Source].
func (v validator) Subscribe(s middleware.Sink) (cancel func()) { return v.issuer.Subscribe(s) }

// end revokes a session. One that could not be revoked lives on, here too.
func (m *Manager) end(ctx context.Context, id string) error {
	if err := m.revocations.Revoke(ctx, id); err != nil {
		return fmt.Errorf("session: ending: %w", err)
	}
	m.forget(id)
	return nil
}
