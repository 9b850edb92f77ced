package idp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// A Verifier validates the tokens of one or more issuers. Use [Open]: the zero value
// accepts no token. It is a [middleware.Source]: a cache around it forgets the tokens of
// a key that is withdrawn. Its methods are safe for concurrent use.
type Verifier struct {
	issuers []*trusted
	exact   map[string]*trusted // by each spelling of iss that is no template
}

// A trusted issuer is a Config that is in use.
type trusted struct {
	cfg    Config
	types  []string // the accepted types, in the form in which they are compared
	static keyList
	sinks  middleware.Sinks

	mu      sync.Mutex
	remote  *RemoteKeys // nil if no set is fetched, or not yet
	opening error       // why the last attempt to find the set failed
	closed  bool
	retry   *time.Timer
}

// Open finds and fetches the key sets of the issuers and keeps them up to date in
// goroutines until Close. ctx bounds only the opening.
//
// Open returns an error that names every fault of every Config. It also returns an error
// if a key set cannot be found or fetched, unless AllowEmptyStart is set.
func Open(ctx context.Context, issuers ...Config) (*Verifier, error) {
	v := &Verifier{exact: map[string]*trusted{}}
	var errs []error
	if ctx == nil {
		errs = append(errs, errors.New("nil Context"))
	}
	if len(issuers) == 0 {
		errs = append(errs, errors.New("no issuer"))
	}
	for _, cfg := range issuers {
		t := newTrusted(cfg)
		if err := t.cfg.check(); err != nil {
			errs = append(errs, fmt.Errorf("issuer %q: %w", strings.Join(cfg.Issuers, " "), err))
			continue
		}
		v.issuers = append(v.issuers, t)
	}
	errs = append(errs, v.index())
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("idp: Open: %w", err)
	}

	for _, t := range v.issuers {
		if err := t.open(ctx); err != nil {
			v.Close()
			return nil, fmt.Errorf("idp: Open: issuer %q: %w", t.cfg.Issuers[0], err)
		}
	}
	return v, nil
}

func newTrusted(cfg Config) *trusted {
	t := &trusted{cfg: cfg.withDefaults()}
	for _, typ := range t.cfg.Types {
		t.types = append(t.types, mediaType(typ))
	}
	if ks, ok := cfg.Keys.(staticKeys); ok {
		t.static = listOf(ks)
	}
	return t
}

// index fills exact. It returns an error if two issuers have one spelling, or if a
// template covers another issuer.
func (v *Verifier) index() error {
	var errs []error
	for _, t := range v.issuers {
		for _, iss := range t.cfg.Issuers {
			if _, _, isTemplate := cutTenant(iss); isTemplate {
				continue
			}
			if v.exact[iss] != nil {
				errs = append(errs, fmt.Errorf("issuer %q: given twice", iss))
			}
			v.exact[iss] = t
		}
	}
	for _, t := range v.issuers {
		for iss, other := range v.exact {
			if _, covers := t.tenant(iss); covers && other != t {
				errs = append(errs, fmt.Errorf("the template %q covers the issuer %q too", t.cfg.Issuers[0], iss))
			}
		}
	}
	return errors.Join(errs...)
}

// open finds and fetches the key set.
func (t *trusted) open(ctx context.Context) error {
	if t.static != nil && t.cfg.JWKSURL == "" {
		// Nothing withdraws static keys.
		t.sinks.FreshUntil(time.Now().Add(forever))
		return nil
	}
	err := t.find(ctx)
	if err != nil && t.cfg.AllowEmptyStart {
		t.tryAgain()
		return nil
	}
	return err
}

// find finds the key set and begins to fetch it.
func (t *trusted) find(ctx context.Context) error {
	url := t.cfg.JWKSURL
	if url == "" {
		var err error
		if url, err = t.cfg.discover(ctx, keySetURL); err != nil {
			t.failed(err)
			return err
		}
	}

	remote, err := openKeys(ctx, url, RemoteKeysConfig{
		Refresh: t.cfg.Refresh, MaxAge: t.cfg.MaxStale, Cooldown: defaultCooldown, Timeout: defaultTimeout,
		AllowEmptyStart: t.cfg.AllowEmptyStart, Client: t.cfg.HTTPClient, Log: t.cfg.Log,
	}, true)
	if err != nil {
		t.failed(err)
		return err
	}

	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return remote.Close()
	}
	t.remote, t.opening = remote, nil
	remote.Subscribe(&t.sinks)
	return nil
}

func (t *trusted) failed(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.opening = err
}

// tryAgain looks for the key set again until it is found. Only an issuer with
// AllowEmptyStart starts without it.
func (t *trusted) tryAgain() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	t.retry = time.AfterFunc(retryRefresh, func() {
		if t.find(context.Background()) != nil {
			t.tryAgain()
		}
	})
}

// Close stops the fetching. From then on every token is AUTH-8, even one that a cache
// remembers. Close always returns nil.
func (v *Verifier) Close() error {
	for _, t := range v.issuers {
		t.mu.Lock()
		remote := t.remote
		t.closed = true
		if t.retry != nil {
			t.retry.Stop()
		}
		t.mu.Unlock()
		if remote != nil {
			remote.Close()
		}
		t.sinks.FreshUntil(time.Time{})
	}
	return nil
}

// Subscribe implements [middleware.Source].
func (v *Verifier) Subscribe(s middleware.Sink) (cancel func()) {
	var sources []middleware.Source
	for _, t := range v.issuers {
		sources = append(sources, &t.sinks)
	}
	return (&liveIssuers{sources: sources}).Subscribe(s)
}

// Offline implements [middleware.OfflineValidator]. It reports true for a token whose key
// is known, or for which no key will be looked for.
func (v *Verifier) Offline(c middleware.Credential) bool {
	head, _, _ := strings.Cut(c.Secret, ".")
	t := &token{head: head}
	if len(head) > maxHead || t.readHeader() != nil {
		return true
	}
	kid, _, _, err := t.header.asked()
	if err != nil || kid == "" || !slices.ContainsFunc(v.issuers, func(t *trusted) bool { return !t.knows(kid) }) {
		return true
	}

	// Only the payload says whose key it is.
	r, err := readToken(c.Secret)
	if err != nil {
		return true
	}
	issuer, _ := v.of(r.issuer())
	return issuer == nil || issuer.knows(kid)
}

// maxHead is the largest size of an encoded header, in bytes.
const maxHead = 8 << 10

// knows reports whether the keys for kid are at hand.
func (t *trusted) knows(kid string) bool {
	t.mu.Lock()
	remote := t.remote
	t.mu.Unlock()
	return t.static.has(kid) || remote == nil || remote.state.Load().list.has(kid)
}

// of returns the issuer of a token with that iss, and the token's tenant if a template
// has matched.
func (v *Verifier) of(iss string) (t *trusted, tenant string) {
	if t := v.exact[iss]; t != nil {
		return t, ""
	}
	for _, t := range v.issuers {
		if tenant, ok := t.tenant(iss); ok {
			return t, tenant
		}
	}
	return nil, ""
}

// names returns every configured issuer, for causes.
func (v *Verifier) names() anyOf {
	var names anyOf
	for _, t := range v.issuers {
		names = append(names, t.cfg.Issuers...)
	}
	slices.Sort(names)
	return names
}

// Validate implements [middleware.Validator].
func (v *Verifier) Validate(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
	if c.Scheme != middleware.SchemeBearer {
		return nil, errorsx.Fault(fmt.Errorf("idp: a credential of scheme %s", c.Scheme))
	}
	r, err := readToken(c.Secret)
	if err != nil {
		return nil, refused(errorsx.UnknownToken, err)
	}
	t, tenant := v.of(r.issuer())
	if t == nil {
		return nil, refused(errorsx.UnknownToken, r.claims.fault("iss", v.names()))
	}
	return t.validate(ctx, c.Now(), r, tenant)
}
