// Package session logs people in with login and password, and keeps them logged
// in by a token and a cookie that work only together.
//
//	sessions, err := session.New(iss, db, session.Config{})
//	mux.Handle("/api/", sessions.Handler(sessions))
//	mux.Handle("/api/me", sessions.Bearer(sessions)(me))
//
// The token comes in a header of its own, so that no other site can send it: a
// session's routes need no protection against cross-site requests.
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
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// Config configures [Sessions]. The zero value is ready to use.
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

	// Errors answers refused requests. If nil, a writer with [Dialect] does.
	Errors *errorsx.Writer
}

// Dialect is [errorsx.RFC], but whatever is wrong with credentials is a 401.
func Dialect(p errorsx.Place, e *errorsx.Error) (status int, oauth string) {
	status, oauth = errorsx.RFC(p, e)
	switch e.Code {
	case errorsx.CredentialsIncorrect, errorsx.CredentialsMissing, errorsx.CredentialsMalformed,
		errorsx.WrongTokenType, errorsx.BadSignature, errorsx.TokenExpired, errorsx.UnknownToken:
		status = http.StatusUnauthorized
	}
	return status, oauth
}

// Sessions opens, confirms and ends sessions. It is the [middleware.Validator] of their
// tokens. Its methods may be called concurrently.
type Sessions struct {
	issuer *issuer.Issuer
	store  store.Sessions
	cfg    Config

	mu     sync.Mutex
	visits map[string]*visit // by session ID
	sweep  int               // size at which visits are swept next
}

// A visit is what this process knows better than the store: when a session was
// used last. The store is told once in a tenth of the timeout.
type visit struct {
	token               store.Digest
	expires, ends, told time.Time
}

// New returns the sessions of the issuer's users, kept in s. It reports
// everything that is wrong with the configuration at once.
func New(i *issuer.Issuer, s store.Sessions, cfg Config) (*Sessions, error) {
	setDefaults(&cfg)
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("session: New: %w", err)
	}
	if i == nil || s == nil {
		return nil, errors.New("session: New: nil issuer or store")
	}
	return &Sessions{issuer: i, store: s, cfg: cfg, visits: map[string]*visit{}, sweep: minSweep}, nil
}

func setDefaults(cfg *Config) {
	cfg.Base = cmp.Or(cfg.Base, "/api")
	cfg.Cookie = cmp.Or(cfg.Cookie, "JSESSIONID")
	cfg.Header = cmp.Or(cfg.Header, "X-Simplicite-Authorization")
	cfg.Timeout = cmp.Or(cfg.Timeout, 5*time.Minute)
	cfg.MaxAge = cmp.Or(cfg.MaxAge, max(12*time.Hour, cfg.Timeout))
	cfg.Errors = cmp.Or(cfg.Errors, &errorsx.Writer{Dialect: Dialect})
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
func (s *Sessions) open(ctx context.Context, u *store.User) (token, cookie string, err error) {
	token, cookie = issuer.Generate(tokenPrefix), rand.Text()+rand.Text() // 256 bits and more each
	now := time.Now()
	d := store.DigestOf(token)
	err = s.store.PutSession(ctx, store.Session{
		ID: sessionID(d), Token: d, Cookie: store.DigestOf(cookie), User: u.Login, UserVersion: u.Version,
		Expires: now.Add(s.cfg.Timeout), Ends: now.Add(s.cfg.MaxAge),
	})
	if err != nil {
		return "", "", fmt.Errorf("session: opening: %w", err)
	}
	return token, cookie, nil
}

// sessionID names a session in logs and revocations, and gives nothing away.
func sessionID(token store.Digest) string { return fmt.Sprintf("%x", token[:16]) }

// Validate implements [middleware.Validator] for session tokens. That the cookie came
// with the token is for [Sessions.Bearer] to see to.
func (s *Sessions) Validate(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
	if c.Scheme != errorsx.SchemeBearer {
		return nil, errorsx.Fault(fmt.Errorf("session: a credential of scheme %s", c.Scheme))
	}
	if !issuer.WellFormed(tokenPrefix, c.Secret) {
		return nil, errorsx.UnknownToken
	}
	d := store.DigestOf(c.Secret)
	rec, err := s.store.Session(ctx, d)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errorsx.UnknownToken
	}
	if err != nil {
		return nil, fmt.Errorf("session: reading: %w", err)
	}
	if s.issuer.IsRevoked(store.KindSession, rec.ID) {
		return nil, errorsx.UnknownToken // in a store of its own it may live on
	}
	expires := s.seen(rec, c.Now())
	if !expires.After(c.Now()) {
		return nil, errorsx.TokenExpired
	}
	u, err := s.issuer.User(ctx, rec.User)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, errorsx.UnknownToken
	case err != nil:
		return nil, &errorsx.Error{Code: errorsx.CredentialStore, Err: err}
	case u.Disabled || u.Version > rec.UserVersion:
		return nil, errorsx.UnknownToken
	}
	id := middleware.Identity{
		Issuer: s.issuer.URL(), User: u.Login, Methods: middleware.ByToken, TokenID: rec.ID, Expires: expires,
	}
	if !s.cfg.AllowWithoutCookie {
		id = id.WithConfirmation(string(rec.Cookie[:]))
	}
	return &id, nil
}

// Subscribe implements [middleware.Source].
func (s *Sessions) Subscribe(sink middleware.Sink) (cancel func()) { return s.issuer.Subscribe(sink) }

// seen returns when the session expires, by the store or by this process.
func (s *Sessions) seen(rec *store.Session, now time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.visits[rec.ID]
	if v == nil {
		s.sweepVisits(now)
		v = &visit{token: rec.Token, expires: rec.Expires, ends: rec.Ends, told: rec.Expires.Add(-s.cfg.Timeout)}
		s.visits[rec.ID] = v
	}
	if rec.Expires.After(v.expires) {
		v.expires = rec.Expires
	}
	return v.expires
}

const minSweep = 1024

// sweepVisits forgets sessions that have expired, whenever there are twice as
// many visits as were left the last time.
func (s *Sessions) sweepVisits(now time.Time) {
	if len(s.visits) < s.sweep {
		return
	}
	for id, v := range s.visits {
		if !v.expires.After(now) {
			delete(s.visits, id)
		}
	}
	s.sweep = max(minSweep, 2*len(s.visits))
}

// renew moves the session's end after a use.
func (s *Sessions) renew(ctx context.Context, id string) error {
	now := time.Now()
	s.mu.Lock()
	v := s.visits[id]
	if v == nil || !v.expires.After(now) {
		s.mu.Unlock()
		return errorsx.TokenExpired
	}
	expires, told := v.expires, v.told
	lastUse, until := expires.Add(-s.cfg.Timeout), now.Add(s.cfg.Timeout)
	if until.After(v.ends) {
		until = v.ends
	}
	v.expires = until
	tell := now.Sub(told) > s.cfg.Timeout/10
	if tell {
		v.told = now
	}
	s.mu.Unlock()
	if !tell {
		return nil
	}
	err := s.store.Renew(ctx, v.token, lastUse, until)
	if errors.Is(err, store.ErrNotFound) {
		s.forget(id)
		return errorsx.UnknownToken
	}
	if err != nil {
		s.mu.Lock()
		v.told = told // to be told again at the next use
		if v.expires.Equal(until) {
			v.expires = expires // this one is refused
		}
		s.mu.Unlock()
		return fmt.Errorf("session: renewing: %w", err)
	}
	return nil
}

func (s *Sessions) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.visits, id)
}

// end revokes a session. One that could not be revoked lives on, here too.
func (s *Sessions) end(ctx context.Context, id string) error {
	err := s.issuer.Revoke(ctx, store.Change{
		Kind: store.KindSession, ID: id, Until: time.Now().Add(s.cfg.MaxAge),
	})
	if err != nil {
		return fmt.Errorf("session: ending: %w", err)
	}
	s.forget(id)
	return nil
}
