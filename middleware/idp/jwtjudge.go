package idp

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// notYetValid is the fault of a token that becomes valid at a later time.
type notYetValid struct {
	*tokenFault
	from time.Time
}

// ValidFrom returns that time. [middleware.Cache] asks for it.
func (f *notYetValid) ValidFrom() time.Time { return f.from }

// judge decides on the claims of a token whose signature is right.
func (v *jwtValidator) judge(now time.Time, t *token, kid, user string) (*middleware.Identity, error) {
	c := &t.claims
	client := cmp.Or(c.Client.s, c.Party.s)
	foreign := v.foreign(c)
	expires := c.Expires.t.Add(v.cfg.Leeway)

	switch soon := now.Add(v.cfg.Leeway); {
	case !now.Before(expires):
		e := &errorsx.Error{Code: errorsx.TokenExpired, Client: client}
		fault := c.Expires.fault(inClaims, "exp", timeAfter(now.Add(-v.cfg.Leeway)))
		// The token is for another audience, so its client is not one of ours.
		if foreign != nil {
			e.Client, fault.err = "", foreign
		}
		e.Err = fault
		return nil, e

	case foreign != nil:
		return nil, refused(errorsx.UnknownToken, foreign)

	case c.bound(inClaims) != nil:
		return nil, refused(errorsx.UnknownToken, c.bound(inClaims))

	case c.NotBefore.t.After(soon), c.Issued.t.After(soon):
		return nil, refused(errorsx.UnknownToken, c.early(soon, v.cfg.Leeway))

	case c.Issued.present() && c.Expires.t.Sub(c.Issued.t) > MaxLifetime:
		return nil, refused(errorsx.UnknownToken, c.Expires.fault(inClaims, "exp", words("a time at most 366 days after iat")))
	}

	id := middleware.Identity{
		Issuer:       v.cfg.Issuer,
		Client:       client,
		User:         user,
		Scopes:       middleware.Scopes(c.Scope.s),
		Methods:      middleware.ByToken,
		TokenID:      c.ID.s,
		SigningKeyID: kid,
		Audience:     middleware.Audience(strings.Join(c.Audience.list, " ")),
		Expires:      expires,
	}
	id = id.WithClaims(t.encodedPayload())
	return &id, nil
}

// foreign returns the fault of a token of another audience, or nil.
func (v *jwtValidator) foreign(c *payload) error {
	ours := slices.ContainsFunc(c.Audience.list, func(a string) bool {
		return slices.Contains(v.cfg.Audience, a)
	})
	if !ours {
		return c.Audience.fault(inClaims, "aud", anyOf(v.cfg.Audience))
	}
	return nil
}

// early returns the fault of a token whose nbf or iat is after the time soon.
func (p *payload) early(soon time.Time, leeway time.Duration) *notYetValid {
	name, claim := "nbf", &p.NotBefore
	if p.Issued.t.After(claim.t) {
		name, claim = "iat", &p.Issued
	}
	return &notYetValid{claim.fault(inClaims, name, timeUntil(soon)), claim.t.Add(-leeway)}
}

// badKey returns the fault of a token that no key verifies.
func (h *header) badKey(want fmt.Stringer, err error) *tokenFault {
	f := h.Kid.fault("kid", want)
	f.err = err
	return f
}

// A liveJWT is a validator whose keys report withdrawn keys.
type liveJWT struct {
	*jwtValidator
	middleware.Source
}
