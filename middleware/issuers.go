package middleware

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/authtier/authtier/errorsx"
)

// A TrustedIssuer is one of several whose tokens are accepted.
type TrustedIssuer struct {
	// Keys verify the tokens of this issuer, and of nobody else. Keys that are
	// a [Source] fail by themselves once they are not fresh, as [RemoteKeys] do.
	Keys Keys

	// JWTConfig says which of its tokens are accepted.
	JWTConfig
}

// JWTs returns a validator of the tokens of several issuers, each as [JWT] would
// judge it:
//
//	tokens, err := middleware.JWTs(
//		middleware.TrustedIssuer{Keys: staff, JWTConfig: middleware.JWTConfig{Issuer: "https://staff.example", Audience: audience}},
//		middleware.TrustedIssuer{Keys: partners, JWTConfig: middleware.JWTConfig{Issuer: "https://partners.example", Audience: audience}},
//	)
//
// The token's own iss says whose keys are tried, and these alone: two issuers may
// have a key of the same ID, and none can speak for another (RFC 8725 section
// 3.8). A token that names none of them is AUTH-10, since there is no key for it.
//
// The validator is a [Source] if some keys are one. What it says is fresh until
// the first of its issuers is not. Once an issuer's keys have become too old,
// what was remembered is forgotten and its own tokens alone are AUTH-8; that is
// so when any of the sources speaks next, which [RemoteKeys] that fail do every
// ten seconds.
//
// JWTs returns an error that tells of everything wrong: no issuer, one twice, and
// what JWT refuses.
func JWTs(issuers ...TrustedIssuer) (Validator, error) {
	vs := jwtIssuers{}
	var live []Source
	var errs []error
	if len(issuers) == 0 {
		errs = append(errs, errors.New("no issuer"))
	}
	for _, issuer := range issuers {
		v, err := newJWT(issuer.Keys, issuer.JWTConfig)
		if err != nil {
			errs = append(errs, fmt.Errorf("issuer %q: %w", issuer.Issuer, err))
		}
		if _, twice := vs[issuer.Issuer]; twice {
			errs = append(errs, fmt.Errorf("issuer %q: given twice", issuer.Issuer))
		}
		vs[issuer.Issuer] = v
		if source, ok := issuer.Keys.(Source); ok {
			live = append(live, source)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("middleware: JWTs: %w", err)
	}
	if len(live) > 0 {
		return &liveIssuers{vs, live}, nil
	}
	return vs, nil
}

// jwtIssuers are validators by the iss of their tokens.
type jwtIssuers map[string]*jwtValidator

// of returns the validator of a token, or nil. A token without iss has none.
func (vs jwtIssuers) of(t *token) *jwtValidator { return vs[t.claims.Issuer.s] }

// issuerNames are the expectation of one of the issuers.
type issuerNames jwtIssuers

func (vs issuerNames) String() string { return anyOf(slices.Sorted(maps.Keys(vs))).String() }

// Validate implements [Validator].
func (vs jwtIssuers) Validate(ctx context.Context, c Credential) (*Identity, error) {
	t, err := readJWT(c, nil)
	if err != nil {
		return nil, err
	}
	v := vs.of(t)
	if v == nil {
		return nil, refused(errorsx.UnknownToken, t.claims.Issuer.fault(inClaims, "iss", issuerNames(vs)))
	}
	return v.validate(ctx, c, t)
}

// Local implements [Local].
func (vs jwtIssuers) Local(c Credential) bool {
	t, err := readJWT(c, nil)
	if err != nil {
		return true
	}
	v := vs.of(t)
	return v == nil || v.Local(c)
}

// liveIssuers are issuers of which some keys know when one of them is withdrawn.
type liveIssuers struct {
	jwtIssuers
	sources []Source
}

// Subscribe implements [Source].
func (vs *liveIssuers) Subscribe(s Sink) (cancel func()) {
	t := &together{sink: s, until: make([]limit, len(vs.sources)), stale: make([]bool, len(vs.sources))}
	for i := range t.stale {
		t.stale[i] = true // nothing was said yet that could be forgotten
	}
	var cancels []func()
	for i, source := range vs.sources {
		cancels = append(cancels, source.Subscribe(&member{t, i}))
	}
	return func() {
		for _, cancel := range cancels {
			cancel()
		}
	}
}

// together is several sources to one sink.
type together struct {
	mu    sync.Mutex
	sink  Sink
	until []limit // of each source
	stale []bool  // the sources that were not fresh when one of them spoke last
}

// A member is the sink of one of the sources.
type member struct {
	*together
	i int
}

// Forget implements [Sink].
func (s *member) Forget(rs ...Revocation) { s.sink.Forget(rs...) }

// forever is longer than any process lives.
const forever = 100 * 366 * 24 * time.Hour

// FreshUntil implements [Sink]. A source that is not fresh any more has nothing
// remembered of it, and does not count.
func (s *member) FreshUntil(until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until[s.i] = limit{until, until.Round(0)}
	now := time.Now()
	first, forget := now.Add(forever), false
	for i, u := range s.until {
		past := u.past(now)
		forget = forget || past && !s.stale[i]
		s.stale[i] = past
		if !past && u.monotonic.Before(first) {
			first = u.monotonic
		}
	}
	if forget {
		s.sink.Forget(Revocation{Kind: KindEverything})
	}
	s.sink.FreshUntil(first)
}
