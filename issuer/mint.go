package issuer

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/authtier/authtier/errorsx"
	mw "github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// A Grant says whom tokens are for.
type Grant struct {
	// Client gets the tokens. User, if not empty, is whom they speak for.
	Client, User string

	// Scope is what is asked for, separated by spaces (RFC 6749 section 3.3). If
	// empty, it is the client's default.
	Scope string

	// TTL is how long the access token is valid, rounded down to whole seconds.
	// If 0, it is the configured AccessTTL.
	TTL time.Duration

	// Refresh adds a refresh token.
	Refresh bool

	// Parent, if not nil, is the token that is exchanged for this one: the new
	// token belongs to its family and does not outlive it.
	Parent *mw.Identity
}

// Tokens is what a client gets (RFC 6749 section 5.1). Printed or logged, it
// does not show the tokens; as JSON it is the answer.
type Tokens struct {
	AccessToken  string `json:"access_token"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	TokenType    string `json:"token_type"`
	Scope        string `json:"scope"`
	RefreshToken string `json:"refresh_token,omitempty"`
}

// Format writes t without its tokens, whatever the verb.
func (t Tokens) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "tokens with scope %q", t.Scope) }

// LogValue returns t without its tokens.
func (t Tokens) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(t)) }

// Mint grants tokens, as the client credentials grant does (RFC 6749 section
// 4.4), or with Refresh as the password grant does for a user who was
// authenticated by other means.
//
// The error wraps [errorsx.ScopeNotAuthorized] if the client may not have one of
// the scopes, [errorsx.CredentialsIncorrect] if client or user is unknown or
// disabled, [errorsx.TokenNotMade] if signing fails, and otherwise the store's.
func (i *Issuer) Mint(ctx context.Context, g Grant) (*Tokens, error) {
	client, err := i.client(ctx, g.Client)
	if err != nil {
		return nil, err
	}
	var user *store.User
	if g.User != "" {
		if user, err = i.user(ctx, g.User); err != nil {
			return nil, err
		}
	}
	return i.mint(ctx, client, user, g)
}

// client returns a client that is known and not disabled.
func (i *Issuer) client(ctx context.Context, id string) (*store.Client, error) {
	c, err := i.cfg.Store.Client(ctx, id)
	if err != nil {
		return nil, notFoundAs(errorsx.CredentialsIncorrect, errorsx.CredentialStore, err)
	}
	if c.Disabled {
		return nil, errorsx.CredentialsIncorrect
	}
	return c, nil
}

// user returns a user who is known and not disabled.
func (i *Issuer) user(ctx context.Context, login string) (*store.User, error) {
	u, err := i.users.User(ctx, login)
	if err != nil {
		return nil, notFoundAs(errorsx.CredentialsIncorrect, errorsx.CredentialStore, err)
	}
	if u.Disabled {
		return nil, errorsx.CredentialsIncorrect
	}
	return u, nil
}

// mint grants tokens to a client and a user who are authenticated. Their
// versions were read before that: a revocation meanwhile is not survived.
func (i *Issuer) mint(ctx context.Context, client *store.Client, user *store.User, g Grant) (*Tokens, error) {
	scopes, err := i.grantedScopes(g.Scope, client.Default, client.Scopes)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	access := store.Token{
		ID: rand.Text(), Client: client.ID, ClientVersion: client.Version,
		Audience: i.cfg.Audience, Scopes: scopes, Issued: now.Truncate(time.Second),
	}
	if user != nil {
		access.User, access.UserVersion = user.Login, user.Version
	}
	ttl := i.cfg.AccessTTL
	if g.TTL != 0 {
		ttl = g.TTL.Truncate(time.Second)
	}
	access.Expires = access.Issued.Add(ttl)
	access.Family, access.FamilyEnds = access.ID, access.Expires
	switch {
	case g.Parent != nil:
		access.Family, access.FamilyEnds = g.Parent.Family, i.familyEnds(g.Parent)
		access.Expires = earlier(access.Expires, g.Parent.Expires.Truncate(time.Second))
	case g.Refresh:
		access.Family, access.FamilyEnds = rand.Text(), access.Issued.Add(i.cfg.FamilyTTL)
		access.Expires = earlier(access.Expires, access.FamilyEnds)
	}
	made := i.newPair(access, scopes, g.Refresh)
	return made.deliver(i, func(records []store.Token) error {
		return i.cfg.Store.PutTokens(ctx, records...)
	})
}

// familyEnds returns until when a revocation of the parent's family must be
// remembered.
func (i *Issuer) familyEnds(parent *mw.Identity) time.Time {
	if t, err := record(parent); err == nil {
		return t.FamilyEnds
	}
	return parent.Expires
}

func earlier(a, b time.Time) time.Time {
	if !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// grantedScopes judges the scopes asked for, in the order asked and without
// repeats; def is granted where none are.
func (i *Issuer) grantedScopes(asked string, def, allowed []string) (string, error) {
	if !mw.Scopes(asked).Valid() {
		return "", &errorsx.Error{Code: errorsx.ScopeNotAuthorized, Message: "The scope is malformed"}
	}
	scopes := def
	if asked != "" {
		scopes = nil
		for s := range strings.SplitSeq(asked, " ") {
			if !slices.Contains(scopes, s) {
				scopes = append(scopes, s)
			}
		}
	}
	if len(scopes) == 0 || !within(scopes, allowed) {
		return "", errorsx.ScopeNotAuthorized
	}
	return strings.Join(scopes, " "), nil
}

// A pair is an access token and perhaps a refresh token, not yet in the store.
type pair struct {
	access, refresh           store.Token
	accessToken, refreshToken string // the access token only where it is opaque
}

// newPair completes the records. The refresh token has the scopes of the whole
// grant, from which the access token's may be narrowed.
func (i *Issuer) newPair(access store.Token, granted string, refresh bool) *pair {
	p := &pair{access: access}
	if i.cfg.OpaqueTokens {
		p.accessToken = Generate(i.accessPrefix())
		p.access.Digest = store.DigestOf(p.accessToken)
	}
	if refresh {
		p.refreshToken = Generate(i.refreshPrefix())
		p.refresh = access
		p.refresh.ID, p.refresh.Refresh, p.refresh.Scopes = rand.Text(), true, granted
		p.refresh.Expires = earlier(access.Issued.Add(i.cfg.RefreshTTL), access.FamilyEnds)
		p.refresh.Digest = store.DigestOf(p.refreshToken)
	}
	return p
}

// deliver signs, then stores with put, and only then hands out.
func (p *pair) deliver(i *Issuer, put func(records []store.Token) error) (*Tokens, error) {
	var records []store.Token
	if p.accessToken != "" {
		records = append(records, p.access)
	} else if err := i.signAccess(p); err != nil {
		return nil, &errorsx.Error{Code: errorsx.TokenNotMade, Err: err}
	}
	if p.refreshToken != "" {
		records = append(records, p.refresh)
	}
	if len(records) > 0 {
		if err := put(records); err != nil {
			if _, ok := errors.AsType[*errorsx.Error](err); ok {
				return nil, err
			}
			return nil, &errorsx.Error{Code: errorsx.Internal, Err: err}
		}
	}
	return &Tokens{
		AccessToken: p.accessToken, TokenType: "bearer", Scope: p.access.Scopes, RefreshToken: p.refreshToken,
		ExpiresIn: int64(p.access.Expires.Sub(p.access.Issued) / time.Second),
	}, nil
}

func (i *Issuer) signAccess(p *pair) error {
	t := &p.access
	c := tokenClaims{
		Issuer: i.cfg.Issuer, Subject: t.Client, Audience: t.Audience,
		Expires: t.Expires.Unix(), Issued: t.Issued.Unix(), ID: t.ID,
		Client: t.Client, Scope: t.Scopes, User: t.User, Family: t.Family,
		ClientVersion: t.ClientVersion, UserVersion: t.UserVersion,
	}
	if t.User != "" {
		c.Subject = t.User
	} else if !t.FamilyEnds.Equal(t.Expires) {
		c.FamilyEnds = t.FamilyEnds.Unix()
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return err
	}
	p.accessToken, err = i.cfg.Keys.sign(payload)
	return err
}
