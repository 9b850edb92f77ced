package idp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// identity returns what the claims of a verified token say. object is their JSON, which
// may be in base64url.
func (t *trusted) identity(ctx context.Context, c Claims, object, client, keyID string, at times) (*middleware.Identity, error) {
	p := &t.cfg.preset
	if p.refuse != nil {
		if err := p.refuse(c, client); err != nil {
			return nil, refusedAs(err)
		}
	}

	user, err := t.user(c, client)
	if err != nil {
		return nil, refusedAs(err)
	}
	id, ok := c.text("jti")
	if !ok {
		id = ""
	}
	aud, _ := c.audience()

	scopes, dropped := t.scopes(c)
	result := middleware.Identity{
		Issuer: t.issuerName(c), Client: client, User: user, Scopes: scopes, Methods: middleware.ByToken,
		TokenID: id, SigningKeyID: keyID, Audience: middleware.Audience(strings.Join(aud, " ")), Expires: at.expires,
	}
	result = result.WithClaims(object)
	if bound := c.Has("cnf"); bound || len(dropped) > 0 {
		t.dropped.Add(uint64(len(dropped)))
		result = result.WithDetails(middleware.Details{KeyBinding: bound, DroppedScopes: dropped})
	}
	if err := t.mapped(&result, c); err != nil {
		return nil, err
	}

	switch {
	case t.cfg.Own != nil && result.Client == "":
		return nil, refusedAs(errors.New("the function Map set no client of the own issuer"))
	case result.Client == "" && result.User == "":
		return nil, refusedAs(t.nobody(c))
	}
	if err := t.checkActive(ctx, &result, at.issued.Add(-t.cfg.Leeway)); err != nil {
		return nil, err
	}
	return &result, nil
}

// issuerName returns the name of the issuer in the identity. If a template matches, it is
// the token's own iss, so that equal names of two tenants never merge.
func (t *trusted) issuerName(c Claims) string {
	if t.cfg.Own != nil {
		return t.cfg.Own.URL()
	}
	for _, issuer := range t.cfg.Issuers {
		if _, _, isTemplate := cutTenant(issuer); !isTemplate {
			continue
		}
		iss := c.Text("iss")
		if _, matches := t.tenant(iss); matches {
			return iss
		}
	}
	return t.cfg.Issuers[0]
}

// user returns the token's user, or "" if the token is a client's own.
func (t *trusted) user(c Claims, client string) (string, error) {
	p := &t.cfg.preset
	if p.own {
		return c.Text("username"), nil
	}
	sub, _ := c.text("sub")
	machine := client != "" && sub == client || p.machine != nil && p.machine(c) || t.cfg.ClientToken != nil && t.cfg.ClientToken(c)
	if machine || t.cfg.User == "" {
		return "", nil
	}

	user, ok := c.text(t.cfg.User)
	switch {
	case !ok:
		return "", c.fault(t.cfg.User, wantPrinted)
	case user == "" && client == "":
		return "", t.nobody(c)
	case user == "":
		want := words("the user")
		if p.userHint != "" {
			want += words(": " + p.userHint)
		}
		return "", c.fault(t.cfg.User, want).see("User, and ClientToken for a client's own token")
	}
	return user, nil
}

// nobody returns the fault of a token that names neither a user nor a client.
func (t *trusted) nobody(c Claims) error {
	name, others := t.cfg.Client, "no client"
	if name == "" {
		name, others = "client_id", "no client in azp, cid or appid"
	}

	fault := c.fault(name, words("a client"))
	fault.err = errors.New("no user is configured, and there is " + others)
	if t.cfg.User != "" {
		fault.err = fmt.Errorf("there is no user in %q, and %s", t.cfg.User, others)
	}
	return fault
}

// scopes returns the union of the configured claims. Elements that are no scope tokens
// are dropped, never split.
func (t *trusted) scopes(c Claims) (scopes middleware.Scopes, dropped []string) {
	var all []string
	for _, name := range t.cfg.Scopes {
		if only := t.cfg.preset.absent[name]; only != "" && isFilled(c, only) {
			continue
		}
		for _, s := range scopesIn(c, name) {
			switch {
			case slices.Contains(all, s):
			case s != "" && !strings.Contains(s, " ") && middleware.Scopes(s).Valid():
				all = append(all, s)
			default:
				dropped = append(dropped, s)
			}
		}
	}
	return middleware.Scopes(strings.Join(all, " ")), dropped
}

// scopesIn returns the elements of one claim.
func scopesIn(c Claims, name string) []string {
	v := c.value(name)
	switch v.Kind() {
	case '"':
		if name == "scope" || name == "scp" {
			return strings.FieldsFunc(unquoted(v), func(r rune) bool { return r == ' ' })
		}
		return []string{unquoted(v)}
	case '[':
		return c.List(name)
	case '{':
		names, err := truthy(v)
		if err != nil {
			return nil
		}
		slices.Sort(names)
		return names
	}
	return nil
}

// mapped applies Map, which may set three fields.
func (t *trusted) mapped(id *middleware.Identity, c Claims) (err error) {
	if t.cfg.Own != nil {
		// The provider's names and scopes mean nothing at the own issuer, where somebody
		// else may have the same name.
		id.Client, id.User, id.Scopes = "", "", ""
	}
	if t.cfg.Map == nil {
		return nil
	}
	changed := *id
	err = callMap(t.cfg.Map, &changed, c)
	if _, ok := errors.AsType[*errorsx.Error](err); ok {
		return err
	}
	if _, ok := errors.AsType[errorsx.Code](err); ok {
		return err
	}
	if err != nil {
		return refusedAs(fmt.Errorf("the function Map: %w", err))
	}
	if !changed.Scopes.Valid() {
		return errorsx.Fault(errors.New("idp: Map: the Scopes are no scopes separated by single spaces"))
	}
	id.Client, id.User, id.Scopes = changed.Client, changed.User, changed.Scopes
	return nil
}

// callMap calls Map and turns a panic into a fault.
func callMap(f func(*middleware.Identity, Claims) error, id *middleware.Identity, c Claims) (err error) {
	defer errorsx.Recovered("idp: Map", &err)
	return f(id, c)
}
