// Package session logs users in with login and password. It keeps them logged in with a
// token and a cookie that work only together.
//
//	sessions, err := session.New(iss, db, nil)
//	sessions.Register(mux)
//	mux.Handle("/api/me", sessions.Bearer()(me))
//
// The token is in a header of its own, which other sites cannot send. The routes of a
// session therefore need no protection against cross-site requests.
//
// The identity of a session has a user but no client. [middleware.Usage] refuses it
// with AUTH-8, because usage is billed to clients.
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
	"github.com/authtier/authtier/middleware/idp"
	"github.com/authtier/authtier/store"
)

// Config configures a [Manager]. The zero value is ready to use.
type Config struct {
	// Base is the path of the routes, which are {Base}/login and {Base}/logout, and the
	// Path of the cookie. If empty, it is "/api".
	Base string

	// Timeout is how long a session lasts without use: at least a second. If 0, it is
	// five minutes.
	//
	// MaxAge is how long a session lasts at most. It is between Timeout and
	// [idp.MaxLifetime], which is how long revocations of sessions are
	// remembered. If 0, it is twelve hours, or Timeout if that is longer.
	Timeout, MaxAge time.Duration

	// Cookie is the name of the session cookie. If empty, it is "JSESSIONID".
	Cookie string

	// Header is the name of the header that carries the token. If empty, it is
	// "X-Simplicite-Authorization".
	Header string

	// Redirects are the places to which a login may redirect the browser with its
	// token. If empty, there are none.
	Redirects []Redirect

	// AllowQueryCredentials lets GET requests log in with username and password in the
	// URL. Logs and browser histories keep them.
	AllowQueryCredentials bool

	// AllowWithoutCookie makes the token work without the cookie, as receivers of a
	// redirect need. Anyone who sees the token can then use the session.
	AllowWithoutCookie bool
}

// Dialect is [errorsx.RFC], except that every fault of credentials or tokens has status
// 401. The routes of a [Manager] and the handlers behind its wrapper answer in it,
// unless the nearest enclosing [middleware.Errors] has a dialect of its own.
func Dialect(p errorsx.Place, e *errorsx.Error) (status int, oauth string) {
	status, oauth = errorsx.RFC(p, e)
	switch e.Code {
	case errorsx.CredentialsIncorrect, errorsx.CredentialsMissing, errorsx.CredentialsMalformed,
		errorsx.WrongTokenType, errorsx.BadSignature, errorsx.TokenExpired, errorsx.UnknownToken:
		status = http.StatusUnauthorized
	}
	return status, oauth
}

// A Manager opens, confirms and ends sessions. Its methods are safe for concurrent use.
// They panic if the Manager is nil or does not come from [New].
type Manager struct {
	issuer      *issuer.Issuer
	revocations hook.Sessions
	store       store.Sessions
	cfg         Config
	system      string // identifies this system in digests
	validator   middleware.Validator

	mu     sync.Mutex
	visits map[string]*visit // by session ID
	sweep  int               // the number of visits at which expired ones are removed
}

// New returns a manager of sessions for the issuer's users. Sessions are stored in s.
// cfg may be nil. New returns an error that joins everything that is wrong with the
// arguments.
//
// One store may serve several session systems. A session belongs to the system that
// opened it, which is identified by the issuer's URL and audience and by Base. Other
// systems refuse its token and its cookie.
//
// The manager caches sessions as [issuer.Issuer.Validator] caches credentials. If the
// users are in a table outside the issuer's store ([issuer.Config].Users), it does not,
// and reads the session and the user at each request.
func New(i *issuer.Issuer, s store.Sessions, cfg *Config) (*Manager, error) {
	var own Config
	if cfg != nil {
		own = *cfg
	}
	setDefaults(&own)
	errs := []error{own.check()}
	if i == nil || i.URL() == "" {
		errs = append(errs, errors.New("no issuer: it does not come from issuer.Open or issuer.New"))
	}
	if hook.IsNil(s) {
		errs = append(errs, errors.New("no store"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("session: New: %w", err)
	}

	// The quotes keep the three names apart, so that no two systems have equal digests.
	system := store.DigestOf(fmt.Sprintf("session system %q %q %q", i.URL(), i.Audience(), own.Base))
	m := &Manager{
		issuer: i, revocations: hook.SessionsOf(i, own.MaxAge), store: s, cfg: own, system: string(system[:]),
		visits: map[string]*visit{}, sweep: minSweep,
	}
	m.validator = validator{m}

	// A cache would not learn that users in another table change.
	if !m.revocations.OwnUsers() {
		m.validator = hook.Guarded(i, m.validator)
	}
	return m, nil
}

// mustExist panics if m is nil or zero. A program has such a Manager if it ignores the
// error of New.
func (m *Manager) mustExist(method string) {
	if m == nil || m.issuer == nil {
		panic("session: " + method + ": the Manager does not come from New")
	}
}

// digest returns the digest of a token or cookie under which the store keeps it. Other
// systems on the same store compute other digests.
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
	if err := form.CheckBase(cfg.Base); err != nil {
		errs = append(errs, fmt.Errorf("the Base %w", err))
	}
	// The cookie has a header of its own, and net/http moves Host out of the headers.
	if canonical := http.CanonicalHeaderKey(cfg.Header); !isToken(cfg.Header) || canonical == "Cookie" || canonical == "Host" {
		errs = append(errs, fmt.Errorf("the Header is %q, expected the name of a header other than Cookie and Host", cfg.Header))
	}
	if !isToken(cfg.Cookie) {
		errs = append(errs, fmt.Errorf("the Cookie is %q, expected the name of a cookie", cfg.Cookie))
	}
	if cfg.Timeout < time.Second {
		errs = append(errs, fmt.Errorf("the Timeout is %v, expected at least 1s: a number without a unit is nanoseconds", cfg.Timeout))
	}
	if cfg.MaxAge < cfg.Timeout || cfg.MaxAge > idp.MaxLifetime {
		errs = append(errs, fmt.Errorf("the MaxAge is %v, expected the Timeout, %v, to %v", cfg.MaxAge, cfg.Timeout, idp.MaxLifetime))
	}
	for _, r := range cfg.Redirects {
		errs = append(errs, r.check())
	}
	return errors.Join(errs...)
}

// isToken reports whether name is a token (RFC 9110 section 5.6.2). The names of headers
// and cookies are tokens.
func isToken(name string) bool {
	return (&http.Cookie{Name: name, Value: "x"}).Valid() == nil
}

// tokenPrefix begins session tokens.
const tokenPrefix = "authtier_st"

// open starts a session for a user that is authenticated.
func (m *Manager) open(ctx context.Context, u *store.User) (token, cookie string, err error) {
	// Each holds at least 256 bits.
	token, cookie = secret.Generate(tokenPrefix), rand.Text()+rand.Text()
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

// sessionID returns the ID that names a session in logs and revocations. It does not
// reveal the token.
func sessionID(token store.Digest) string { return fmt.Sprintf("%x", token[:16]) }

// A validator validates the tokens of a manager's sessions. confirm checks the cookie.
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

	// The sessions may be in another store, where the revocation did not delete this
	// one.
	if m.revocations.IsRevoked(rec.ID) {
		return nil, errorsx.UnknownToken
	}

	expires := m.seen(rec, c.Now())
	if !expires.After(c.Now()) {
		return nil, errorsx.TokenExpired
	}

	// Since the login, the user may have been disabled or deleted.
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
		id = id.WithDetails(middleware.Details{Confirmation: string(rec.Cookie[:])})
	}
	return &id, nil
}

// Subscribe implements [middleware.Source].
func (v validator) Subscribe(s middleware.Sink) (cancel func()) { return v.issuer.Subscribe(s) }

// end revokes a session. If that fails, the session lives on, on this node too.
func (m *Manager) end(ctx context.Context, id string) error {
	if err := m.revocations.Revoke(ctx, id); err != nil {
		return fmt.Errorf("session: ending: %w", err)
	}
	m.forget(id)
	return nil
}
