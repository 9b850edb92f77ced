package idp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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
	for i, t := range v.issuers {
		for _, other := range v.issuers[:i] {
			errs = append(errs, t.overlaps(other))
		}
	}
	return errors.Join(errs...)
}

// Close stops the fetching. From then on every token is AUTH-8, even one that a cache
// remembers. Close always returns nil.
func (v *Verifier) Close() error {
	for _, t := range v.issuers {
		t.close()
	}
	return nil
}

// Subscribe implements [middleware.Source].
func (v *Verifier) Subscribe(s middleware.Sink) (cancel func()) {
	var sources []middleware.Source
	for _, t := range v.issuers {
		sources = append(sources, &t.sinks)
		if t.cfg.Own != nil {
			sources = append(sources, t.cfg.Own)
		}
	}
	return subscribe(sources, s)
}

// Offline implements [middleware.OfflineValidator]. It reports true for a token whose key
// is known, or for which no key will be looked for.
func (v *Verifier) Offline(c middleware.Credential) bool {
	head, _, _ := strings.Cut(c.Secret, ".")
	if len(head) > maxHead {
		return true
	}
	h, err := v.known(head).read(head)
	if err != nil {
		return true
	}
	kid, _, err := h.key()
	if err != nil || !slices.ContainsFunc(v.issuers, func(t *trusted) bool { return !t.offline(kid) }) {
		return true
	}

	// Only the payload says whose key it is.
	r, err := readToken(c.Secret, nil)
	if err != nil {
		return true
	}
	issuer, _ := v.of(r.issuer())
	return issuer == nil || issuer.offline(kid)
}

// known returns the header with that encoding if an issuer remembers it, or nil.
func (v *Verifier) known(head string) *knownHeader {
	for _, t := range v.issuers {
		if known := t.known.Load(); known != nil && known.encoded == head {
			return known
		}
	}
	return nil
}

// maxHead is the largest size of an encoded header, in bytes.
const maxHead = 8 << 10

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

// unknownIssuer returns the fault of a token of an issuer or tenant that is not configured.
func (v *Verifier) unknownIssuer(r *token) error {
	for _, t := range v.issuers {
		if tenant := t.anyTenant(r.issuer()); tenant != "" {
			return otherTenant(r.claims, tenant)
		}
	}
	fault := r.claims.fault("iss", v.names()).see("Issuers")
	bare := func(iss string) string {
		_, rest, _ := strings.Cut(iss, "://")
		return strings.ToLower(strings.TrimSuffix(rest, "/"))
	}
	for _, name := range v.names() {
		if iss := bare(r.issuer()); iss != "" && bare(name) == iss {
			fault.err = errors.New("only the spelling differs: scheme, letter case or the slash at the end")
		}
	}
	return fault
}

// Validate implements [middleware.Validator]. The identity of a token that is bound to a
// key (cnf) is for wrappers alone, which admit it only with ConfirmKey: the signature does
// not show that the client has the key.
func (v *Verifier) Validate(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
	if c.Scheme != middleware.SchemeBearer {
		return nil, errorsx.Fault(fmt.Errorf("idp: a credential of scheme %s", c.Scheme))
	}
	head, _, _ := strings.Cut(c.Secret, ".")
	r, err := readToken(c.Secret, v.known(head))
	if err != nil {
		return nil, refused(errorsx.UnknownToken, err)
	}
	t, tenant := v.of(r.issuer())
	if t == nil {
		return nil, refused(errorsx.UnknownToken, v.unknownIssuer(r))
	}
	return t.validate(ctx, c.Now(), r, tenant)
}

// IssuerStats describe the state of one issuer of a [Verifier].
type IssuerStats struct {
	Issuer        string    // the first of its Issuers
	Keys          int       // keys that verify tokens
	Skipped       int       // other keys of the same set
	Good          time.Time // when the last good read of the set began; zero if there was none
	Err           error     // of the last read, if it failed
	Reads         uint64    // reads of the set so far
	Failures      uint64    // failed reads so far
	DroppedScopes uint64    // elements of the claims for scopes that were no scope tokens
}

// Stats returns the current state of every issuer, in the order of Open.
func (v *Verifier) Stats() []IssuerStats {
	all := make([]IssuerStats, len(v.issuers))
	for i, t := range v.issuers {
		all[i] = t.stats()
	}
	return all
}
