package idp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/internal/deadline"
)

// A TrustedIssuer is one of several issuers whose tokens are accepted.
type TrustedIssuer struct {
	// Keys verify only the tokens of this issuer. If they are a [middleware.Source],
	// their Key method must return an error once they are no longer fresh, as
	// [RemoteKeys] do.
	Keys Keys

	// JWTConfig says which tokens of this issuer are accepted.
	JWTConfig
}

// JWTs returns a validator of the tokens of several issuers. It judges each token as
// [JWT] does with the keys and the config of the token's issuer:
//
//	tokens, err := idp.JWTs(
//		idp.TrustedIssuer{Keys: staff, JWTConfig: idp.JWTConfig{Issuer: "https://staff.example", Audience: audience}},
//		idp.TrustedIssuer{Keys: partners, JWTConfig: idp.JWTConfig{Issuer: "https://partners.example", Audience: audience}},
//	)
//
// The iss of the token decides whose keys are tried. No other issuer's keys are
// tried, so an issuer cannot sign for another one (RFC 8725 section 3.8), and two
// issuers may have keys with the same ID. A token whose iss is none of the issuers is
// AUTH-12.
//
// The validator is a [middleware.Source] if some of the keys are one. It is fresh until the
// first of its issuers is not. When an issuer's keys become too old, all remembered
// identities are forgotten, and that issuer's tokens are AUTH-8. Tokens of the others
// are validated again. This happens at the next report of any source; [RemoteKeys]
// whose fetches fail report every ten seconds.
//
// JWTs returns an error if no issuer is given, if one is given twice, and if JWT
// would return one. It names everything that is wrong.
func JWTs(issuers ...TrustedIssuer) (middleware.Validator, error) {
	vs := jwtIssuers{}
	var live []middleware.Source
	var errs []error
	if len(issuers) == 0 {
		errs = append(errs, errors.New("no issuer"))
	}

	for _, issuer := range issuers {
		v, err := newJWT(issuer.Keys, issuer.JWTConfig)
		if err != nil {
			errs = append(errs, fmt.Errorf("issuer %q: %w", issuer.Issuer, err))
		}
		if _, twice := vs[issuer.Issuer]; twice && issuer.Issuer != "" {
			errs = append(errs, fmt.Errorf("issuer %q: given twice", issuer.Issuer))
		}
		vs[issuer.Issuer] = v

		if source, ok := issuer.Keys.(middleware.Source); ok {
			live = append(live, source)
		}
	}

	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("idp: JWTs: %w", err)
	}
	if len(live) > 0 {
		return &liveIssuers{vs, live}, nil
	}
	return vs, nil
}

// jwtIssuers holds the validators by the iss of their tokens.
type jwtIssuers map[string]*jwtValidator

// of returns the validator of a token, or nil. A token without iss has none.
func (vs jwtIssuers) of(t *token) *jwtValidator { return vs[t.claims.Issuer.s] }

// issuerNames is the expectation that an iss is one of the issuers.
type issuerNames jwtIssuers

func (vs issuerNames) String() string { return anyOf(slices.Sorted(maps.Keys(vs))).String() }

// Validate implements [middleware.Validator].
func (vs jwtIssuers) Validate(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
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

// Offline implements [middleware.OfflineValidator].
func (vs jwtIssuers) Offline(c middleware.Credential) bool {
	t, err := readJWT(c, nil)
	if err != nil {
		return true
	}

	// A token of an unknown issuer is refused without looking for a key.
	v := vs.of(t)
	return v == nil || v.Offline(c)
}

// liveIssuers are issuers of which some have keys that report withdrawn keys.
type liveIssuers struct {
	jwtIssuers
	sources []middleware.Source
}

// Subscribe implements [middleware.Source].
func (vs *liveIssuers) Subscribe(s middleware.Sink) (cancel func()) {
	t := &together{sink: s, until: make([]deadline.Deadline, len(vs.sources)), stale: make([]bool, len(vs.sources))}
	for i := range t.stale {
		// No source has reported yet, so there is nothing to forget.
		t.stale[i] = true
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

// together combines the reports of several sources for one sink.
type together struct {
	mu    sync.Mutex
	sink  middleware.Sink
	until []deadline.Deadline // of each source
	stale []bool              // which sources were not fresh at the last report of any
}

// A member is the sink of one of the sources.
type member struct {
	*together
	i int
}

// Forget implements [middleware.Sink].
func (s *member) Forget(rs ...middleware.Revocation) { s.sink.Forget(rs...) }

// forever is longer than the lifetime of any process.
const forever = 100 * 366 * 24 * time.Hour

// FreshUntil implements [middleware.Sink]. A source that is no longer fresh does not count,
// because all that was remembered of it has been forgotten.
func (s *member) FreshUntil(until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until[s.i] = deadline.At(until)

	now := time.Now()
	first, forget := now.Add(forever), false
	for i, u := range s.until {
		past := u.Passed(now)

		// Forgetting once is enough, until the source is fresh again.
		forget = forget || past && !s.stale[i]
		s.stale[i] = past
		if !past && u.Before(first) {
			first = u.Time()
		}
	}

	// The sink must forget before it learns of a later time.
	if forget {
		s.sink.Forget(middleware.Revocation{Everything: true})
	}
	s.sink.FreshUntil(first)
}
