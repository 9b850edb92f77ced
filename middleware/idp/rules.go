package idp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// validate judges a token of this issuer.
func (t *trusted) validate(ctx context.Context, now time.Time, r *token, tenant string) (*middleware.Identity, error) {
	id, err := t.judge(ctx, now, r, tenant)
	switch fault, ok := errors.AsType[*tokenFault](err); {
	case err == nil:
		t.admitted.Store(true)
	case ok:
		fault.never = fault.setting != "" && !t.admitted.Load()
	}
	return id, err
}

// judge judges a token of this issuer. The first fault decides the code.
func (t *trusted) judge(ctx context.Context, now time.Time, r *token, tenant string) (*middleware.Identity, error) {
	keyID, err := t.verify(ctx, r, tenant)
	if err != nil {
		return nil, err
	}
	if err := t.checkType(r); err != nil {
		return nil, refused(errorsx.WrongTokenType, err)
	}
	if err := t.checkOwn(r.claims); err != nil {
		return nil, refused(errorsx.UnknownToken, err)
	}
	times, err := t.readTimes(r.claims)
	if err != nil {
		return nil, refused(errorsx.UnknownToken, err)
	}

	client, err := t.checkClaims(r.claims, times, tenant, now)
	if err != nil {
		return nil, err
	}
	return t.identity(ctx, r.claims, r.encodedPayload(), client, keyID, times)
}

// checkClaims returns the client of a token of the right type, or the token's refusal.
func (t *trusted) checkClaims(c Claims, ts times, tenant string, now time.Time) (client string, err error) {
	client, err = t.client(c)
	if err == nil {
		err = t.checkAudience(c, client)
	}

	// A token that has expired is AUTH-11, even if something else is wrong too.
	if ts.hasExpires && !now.Before(ts.expires) {
		fault := c.fault("exp", timeAfter(now))
		e := &errorsx.Error{Code: errorsx.TokenExpired, Client: client, Err: fault}
		// The token may be for others, so that its client is not one of ours.
		if err != nil {
			e.Client, fault.err = "", err
		}
		return "", e
	}

	if err == nil {
		err = errors.Join(t.checkTenant(c, tenant), t.checkTimes(c, ts, now))
	}
	if err != nil {
		return "", refusedAs(err)
	}
	return client, nil
}

// refusedAs returns an AUTH-12 with that cause. It keeps a cause that becomes valid later
// visible to a cache.
func refusedAs(cause error) error {
	e := &errorsx.Error{Code: errorsx.UnknownToken, Err: cause}
	if early, ok := errors.AsType[*notYetValid](cause); ok {
		e.Err = early
	}
	return e
}

// checkType returns the fault of a token of another type, by its header or its claims.
func (t *trusted) checkType(r *token) error {
	if !r.header.Typ.is(t.types) {
		return r.header.Typ.fault("typ", anyOf(t.cfg.Types)).see("Types")
	}
	if typ, _ := r.header.Typ.text(); mediaType(typ) == "logout+jwt" {
		return r.header.Typ.fault("typ", words("an access token"))
	}

	return t.checkMarks(r.claims)
}

// times are the times in a token. Those that are absent are zero.
type times struct {
	expires, notBefore, issued time.Time
	hasExpires, hasIssued      bool
}

// readTimes reads exp, nbf and iat. Only an introspection's answer may lack exp (RFC 7662
// section 2.2).
func (t *trusted) readTimes(c Claims) (times, error) {
	var ts times
	var ok bool
	if ts.expires, ts.hasExpires, ok = c.time("exp"); !ok || !ts.hasExpires && c.part != inAnswer {
		return ts, c.fault("exp", wantSeconds)
	}
	if ts.notBefore, _, ok = c.time("nbf"); !ok {
		return ts, c.fault("nbf", wantSeconds)
	}
	if ts.issued, ts.hasIssued, ok = c.time("iat"); !ok {
		return ts, c.fault("iat", wantSeconds)
	}
	if ts.hasIssued && ts.hasExpires && ts.issued.After(ts.expires) {
		return ts, c.fault("iat", words("a time not after exp"))
	}
	return ts, nil
}

// checkTimes returns the fault of a token that is not valid yet, or for too long.
func (t *trusted) checkTimes(c Claims, ts times, now time.Time) error {
	soon := now.Add(t.cfg.Leeway)
	for i, at := range []time.Time{ts.notBefore, ts.issued} {
		if at.After(soon) {
			name := [...]string{"nbf", "iat"}[i]
			return &notYetValid{c.fault(name, timeUntil(soon)).see("Leeway"), at.Add(-t.cfg.Leeway)}
		}
	}

	// An endpoint that answers without iat decides about the lifetime itself.
	if !ts.hasExpires || !ts.hasIssued && c.part == inAnswer {
		return nil
	}
	from := now
	if ts.hasIssued {
		from = ts.issued
	}
	if ts.expires.Sub(from) > t.cfg.MaxLifetime {
		return c.fault("exp", words(fmt.Sprintf("a time at most %v after the token was issued", t.cfg.MaxLifetime))).see("MaxLifetime")
	}
	return nil
}

// client returns the token's client, or "" if it has none.
func (t *trusted) client(c Claims) (string, error) {
	if t.cfg.Client != "" {
		client, ok := c.text(t.cfg.Client)
		if !ok {
			return "", c.fault(t.cfg.Client, wantPrinted)
		}
		return client, nil
	}

	var client, from string
	for _, name := range []string{"client_id", "azp", "cid", "appid"} {
		s, ok := c.text(name)
		switch {
		case !ok:
			return "", c.fault(name, wantPrinted)
		case s != "" && client != "" && s != client:
			return "", c.fault(name, words("the client that "+from+" names")).see("Client")
		case s != "" && client == "":
			client, from = s, name
		}
	}
	return client, nil
}

// checkAudience returns the fault of a token that is for others.
func (t *trusted) checkAudience(c Claims, client string) error {
	aud, ok := c.audience()
	if !ok {
		return c.fault("aud", wantAudience)
	}

	listed := slices.Contains(t.cfg.Clients, client)
	switch {
	case t.cfg.anyAudience:
		return nil
	case len(aud) == 0 && len(t.cfg.Clients) == 0:
		return c.fault("aud", anyOf(t.cfg.Audience)).see("Audience")
	case len(aud) == 0 && !listed:
		return newFault(c.part, "azp", anyOf(t.cfg.Clients), '"', client).see("Clients")
	case len(aud) == 0:
		return nil
	case len(t.cfg.Audience) == 0:
		return c.fault("aud", words("no audience, since only Clients are configured")).see("Audience")
	case !slices.ContainsFunc(aud, func(a string) bool { return slices.Contains(t.cfg.Audience, a) }):
		return c.fault("aud", anyOf(t.cfg.Audience)).see("Audience")
	case len(t.cfg.Clients) > 0 && !listed:
		return newFault(c.part, "azp", anyOf(t.cfg.Clients), '"', client).see("Clients")
	}
	return nil
}
