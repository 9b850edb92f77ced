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

	client, err := t.client(r.claims)
	if err == nil {
		err = t.checkAudience(r.claims, client)
	}
	// A token that has expired is AUTH-11, even if something else is wrong too.
	if !now.Before(times.expires) {
		fault := r.claims.fault("exp", timeAfter(now))
		e := &errorsx.Error{Code: errorsx.TokenExpired, Client: client, Err: fault}
		// The token may be for others, so that its client is not one of ours.
		if err != nil {
			e.Client, fault.err = "", err
		}
		return nil, e
	}
	if err == nil {
		err = errors.Join(t.checkTenant(r.claims, tenant), t.checkTimes(r.claims, times, now))
	}
	if err != nil {
		return nil, refusedAs(err)
	}
	return t.identity(ctx, r, client, keyID, times)
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

// checkType returns the fault of a token of another type: by the header, by a mark of its
// own, or by the claim in which the provider names the kind.
func (t *trusted) checkType(r *token) error {
	if !r.header.Typ.is(t.types) {
		return r.header.Typ.fault("typ", anyOf(t.cfg.Types)).see("Types")
	}
	if typ, _ := r.header.Typ.text(); mediaType(typ) == "logout+jwt" {
		return r.header.Typ.fault("typ", words("an access token"))
	}

	c := r.claims
	// Refresh and logout tokens never pass, and ID tokens only by AllowIDTokens.
	if s := c.Text("typ"); s == "Refresh" || s == "Logout" {
		return c.fault("typ", words("an access token"))
	}
	isID := ""
	switch {
	case c.Text("typ") == "ID":
		isID = "typ"
	case c.Text("token_use") == "id":
		isID = "token_use"
	case c.Has("at_hash"):
		isID = "at_hash"
	case c.Has("c_hash"):
		isID = "c_hash"
	case c.Has("nonce") && !c.Has("scope") && !c.Has("scp"):
		isID = "nonce"
	}
	if isID != "" && !t.cfg.AllowIDTokens {
		return c.fault(isID, words("no mark of an ID token, but an access token")).see("AllowIDTokens")
	}

	if p := t.cfg.preset; p.kind != "" && isID == "" && !slices.Contains(p.kinds, c.Text(p.kind)) {
		return c.fault(p.kind, anyOf(p.kinds))
	}
	return nil
}

// times are the times in a token. notBefore and issued are zero if they are absent.
type times struct {
	expires, notBefore, issued time.Time
	hasIssued                  bool
}

// readTimes reads exp, nbf and iat.
func (t *trusted) readTimes(c Claims) (times, error) {
	var ts times
	var present, ok bool
	if ts.expires, present, ok = c.time("exp"); !present || !ok {
		return ts, c.fault("exp", wantSeconds)
	}
	if ts.notBefore, _, ok = c.time("nbf"); !ok {
		return ts, c.fault("nbf", wantSeconds)
	}
	if ts.issued, ts.hasIssued, ok = c.time("iat"); !ok {
		return ts, c.fault("iat", wantSeconds)
	}
	if ts.hasIssued && ts.issued.After(ts.expires) {
		return ts, c.fault("iat", words("a time not after exp"))
	}
	return ts, nil
}

// checkTimes returns the fault of a token that is not valid yet, or for too long.
func (t *trusted) checkTimes(c Claims, ts times, now time.Time) error {
	soon := now.Add(t.cfg.Leeway)
	for name, at := range map[string]time.Time{"nbf": ts.notBefore, "iat": ts.issued} {
		if at.After(soon) {
			return &notYetValid{c.fault(name, timeUntil(soon)).see("Leeway"), at.Add(-t.cfg.Leeway)}
		}
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
	case len(aud) == 0 && len(t.cfg.Clients) == 0:
		return c.fault("aud", anyOf(t.cfg.Audience)).see("Audience")
	case len(aud) == 0 && !listed:
		return newFault(inClaims, "azp", anyOf(t.cfg.Clients), '"', client).see("Clients")
	case len(aud) == 0:
		return nil
	case len(t.cfg.Audience) == 0:
		return c.fault("aud", words("no audience, since only Clients are configured")).see("Audience")
	case !slices.ContainsFunc(aud, func(a string) bool { return slices.Contains(t.cfg.Audience, a) }):
		return c.fault("aud", anyOf(t.cfg.Audience)).see("Audience")
	case len(t.cfg.Clients) > 0 && !listed:
		return newFault(inClaims, "azp", anyOf(t.cfg.Clients), '"', client).see("Clients")
	}
	return nil
}
