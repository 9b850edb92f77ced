package issuer

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer/internal/secret"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// A Grant describes the tokens that [Issuer.Mint] makes.
type Grant struct {
	// Client gets the tokens. User, if not empty, is the login of the user that they
	// act for. The sub claim is the login, or the client's ID if there is no user.
	// Other resource servers tell subjects apart only by sub (RFC 9068 section 5), so
	// a login must not equal a client's ID.
	Client, User string

	// Scope is the requested scope, separated by spaces (RFC 6749 section 3.3). If
	// empty, it is the client's default, without the scopes that the user may not have
	// ([store.User].LimitScopes).
	Scope string

	// TTL is the lifetime of the access token, rounded down to whole seconds. It is at
	// least a second and at most [idp.MaxLifetime], or with stored keys
	// [Config].MaxTTL. If 0, it is [Config].AccessTTL.
	TTL time.Duration

	// Refresh adds a refresh token. It is an error if By was authenticated by a token.
	Refresh bool

	// By, if not nil, is the identity that asks. It must be of this issuer and of
	// Client, and it gets no more than it has. Mint fails if the client was revoked
	// after By was authenticated.
	//
	// If By was authenticated by a token, User must be the token's user, and the
	// scopes, including the default, are limited to the token's. The new token belongs
	// to the same family and does not outlive that token. If By was authenticated by an
	// API key with scopes, these limit the scopes likewise.
	By *middleware.Identity
}

// Tokens is a successful token response (RFC 6749 section 5.1). Printed or logged, it
// does not show the tokens. Encoded as JSON, it is the response and does.
type Tokens struct {
	AccessToken  string `json:"access_token"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	TokenType    string `json:"token_type"`
	Scope        string `json:"scope"`
	RefreshToken string `json:"refresh_token,omitempty"`
}

// Format writes t without its tokens, for every verb.
func (t Tokens) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "tokens with scope %q", t.Scope) }

// LogValue returns t without its tokens.
func (t Tokens) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(t)) }

// Mint grants tokens, as the client credentials grant does (RFC 6749 section 4.4). With
// Refresh, it grants them as the password grant does, for a user whom the program has
// authenticated by other means.
//
// The error wraps [errorsx.ScopeNotAuthorized] if the client, the user or By may not
// have one of the scopes, or if the default has no scope left. There is no token
// without a scope (RFC 6749 section 3.3).
//
// It wraps [errorsx.CredentialsIncorrect] if the client or user is unknown or disabled,
// or if the client or By was revoked since. It wraps [errorsx.TokenExpired] if By was
// authenticated by a token that has expired, and [errorsx.TokenNotMade] if signing
// fails. It wraps any other error of the store.
//
// A By of another issuer, client or user is an error that wraps none of these.
func (i *Issuer) Mint(ctx context.Context, g Grant) (*Tokens, error) {
	if longest := i.cfg.maxTTL(); g.TTL != 0 && (g.TTL < time.Second || g.TTL > longest) {
		return nil, fmt.Errorf("issuer: Mint: TTL is %v, expected 1s to %v", g.TTL, longest)
	}
	if err := i.checkBy(g); err != nil {
		return nil, fmt.Errorf("issuer: Mint: %w", err)
	}
	client, err := i.client(ctx, g.Client, g.By)
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

// checkBy refuses a grant that the identity in By may not have with any scopes.
func (i *Issuer) checkBy(g Grant) error {
	switch by := g.By; {
	case by == nil:
		return nil
	case by.Issuer != i.url:
		return fmt.Errorf("the identity in By is of issuer %q, expected %q", by.Issuer, i.url)
	case by.Client != g.Client:
		return fmt.Errorf("the identity in By is of client %q, and the token is for %q", by.Client, g.Client)
	case by.Family == "":
		return nil
	case by.User != g.User:
		return fmt.Errorf("the token in By is of user %q, and the new one is for %q", by.User, g.User)
	case g.Refresh:
		return errors.New("a refresh token cannot be had by a token")
	}
	return i.checkByToken(g.By)
}

// client returns a client that exists, is not disabled, and was not revoked since by
// was authenticated. by may be nil.
func (i *Issuer) client(ctx context.Context, id string, by *middleware.Identity) (*store.Client, error) {
	if i.closed.Load() {
		return nil, errClosed
	}
	c, err := i.db.Client(ctx, id)
	if err != nil {
		return nil, notFoundAs(errorsx.CredentialsIncorrect, errorsx.CredentialStore, err)
	}
	if c.Disabled || by != nil && by.ClientVersion < c.Version {
		return nil, errorsx.CredentialsIncorrect
	}
	return c, nil
}

// user returns a user that exists and is not disabled.
func (i *Issuer) user(ctx context.Context, login string) (*store.User, error) {
	u, err := i.User(ctx, login)
	if err != nil {
		return nil, notFoundAs(errorsx.CredentialsIncorrect, errorsx.CredentialStore, err)
	}
	if u.Disabled {
		return nil, errorsx.CredentialsIncorrect
	}
	return u, nil
}

// mint grants tokens to a client and a user that are authenticated. Their versions were
// read before that, so that a revocation in between applies to the new tokens too.
func (i *Issuer) mint(ctx context.Context, client *store.Client, user *store.User, g Grant) (*Tokens, error) {
	scopes, err := grantedScopes(g.Scope, limitedBy(limited(client.Default, user), g.By), limitedBy(limited(client.Scopes, user), g.By))
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
		// Revocations must be remembered as long as this token lives.
		i.revocations.noteTTL(ttl)
	}
	access.Expires = access.Issued.Add(ttl)

	// Without By and Refresh, the token is a family of its own.
	access.Family, access.FamilyEnds = access.ID, access.Expires
	switch {
	case g.By != nil && g.By.Family != "":
		if !g.By.Expires.After(now) {
			return nil, &errorsx.Error{Code: errorsx.TokenExpired, Client: client.ID}
		}
		access.Family, access.FamilyEnds = g.By.Family, familyEnds(g.By)
		access.Expires = earlier(access.Expires, g.By.Expires.Truncate(time.Second))
	case g.Refresh:
		access.Family, access.FamilyEnds = rand.Text(), access.Issued.Add(i.cfg.FamilyTTL)
		access.Expires = earlier(access.Expires, access.FamilyEnds)
	}

	tokens, records, err := i.make(access, scopes, g.Refresh)
	if err != nil {
		return nil, err
	}
	if err := i.put(ctx, records); err != nil {
		return nil, err
	}
	return tokens, nil
}

// put stores records, if there are any.
func (i *Issuer) put(ctx context.Context, records []store.Token) error {
	if len(records) == 0 {
		return nil
	}
	if err := i.db.PutTokens(ctx, records...); err != nil {
		return fmt.Errorf("issuer: storing tokens: %w", err)
	}
	return nil
}

// familyEnds returns until when a revocation of the token's family must be remembered.
func familyEnds(id *middleware.Identity) time.Time {
	if t, err := record(id); err == nil {
		return t.FamilyEnds
	}
	return id.Expires
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// make makes an access token and, if refresh is set, a refresh token, whose scopes are
// those of the whole grant. The caller must store the records before it hands out the
// tokens.
func (i *Issuer) make(access store.Token, granted string, refresh bool) (*Tokens, []store.Token, error) {
	tokens := &Tokens{
		TokenType: "bearer", Scope: access.Scopes,
		ExpiresIn: int64(access.Expires.Sub(access.Issued) / time.Second),
	}

	var records []store.Token
	if i.cfg.OpaqueTokens {
		tokens.AccessToken = secret.Generate(i.accessPrefix)
		access.Digest = store.DigestOf(tokens.AccessToken)
		records = append(records, access)
	} else {
		var err error
		if tokens.AccessToken, err = i.sign(&access); err != nil {
			return nil, nil, &errorsx.Error{Code: errorsx.TokenNotMade, Err: err}
		}
	}

	if refresh {
		tokens.RefreshToken = secret.Generate(i.refreshPrefix)
		r := access
		r.ID, r.Refresh, r.Scopes = rand.Text(), true, granted
		r.Expires = earlier(access.Issued.Add(i.cfg.RefreshTTL), access.FamilyEnds)
		r.Digest = store.DigestOf(tokens.RefreshToken)
		records = append(records, r)
	}
	return tokens, records, nil
}

// tokenClaims are the claims of a signed access token (RFC 9068 section 2.2).
type tokenClaims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	Expires  int64  `json:"exp"`
	ID       string `json:"jti"`
	Client   string `json:"client_id"`
	Scope    string `json:"scope,omitempty"`
	User     string `json:"username,omitempty"`
	privateClaims
}

// privateClaims are the claims by which a token can be revoked together with others,
// and iat. A user's token does not hold the end of its family, because the record of
// its refresh token does.
type privateClaims struct {
	Issued        int64  `json:"iat"`
	Family        string `json:"family"`
	FamilyEnds    int64  `json:"family_ends,omitempty"`
	ClientVersion uint64 `json:"client_version"`
	UserVersion   uint64 `json:"user_version,omitempty"`
}

// sign returns the signed form of an access token.
func (i *Issuer) sign(t *store.Token) (string, error) {
	c := tokenClaims{
		Issuer: i.url, Subject: cmp.Or(t.User, t.Client), Audience: t.Audience,
		Expires: t.Expires.Unix(), ID: t.ID, Client: t.Client, Scope: t.Scopes, User: t.User,
		privateClaims: privateClaims{
			Issued: t.Issued.Unix(), Family: t.Family, ClientVersion: t.ClientVersion, UserVersion: t.UserVersion,
		},
	}

	if t.User == "" && !t.FamilyEnds.Equal(t.Expires) {
		c.FamilyEnds = t.FamilyEnds.Unix()
	}

	payload, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	return i.keys.Sign(payload)
}
