package redis

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/record"
)

// PutTokens implements [store.Tokens].
func (s *Store) PutTokens(ctx context.Context, ts ...store.Token) error {
	if err := record.CheckTokens(ts); err != nil {
		return err
	}
	return s.do(ctx, putTokens, tokenArgs(ts)...)
}

// Token implements [store.Tokens].
func (s *Store) Token(ctx context.Context, d store.Digest) (*store.Token, error) {
	r, err := s.hash(ctx, "token:"+formatDigest(d))
	if err != nil {
		return nil, err
	}
	t := store.Token{
		ID: r.text("id"), Family: r.text("family"), Client: r.text("client"), User: r.text("user"),
		Audience: r.text("audience"), Scopes: r.text("scopes"), Digest: d,
		Refresh: r.flag("refresh"), Used: r.flag("used"),
		ClientVersion: r.number("clientversion"), UserVersion: r.number("userversion"),
		Issued: r.time("issued"), Expires: r.time("expires"), FamilyEnds: r.time("familyends"), UsedAt: r.timeIfAny("usedat"),
	}

	// A damaged token must not be used in part.
	if r.err != nil {
		return nil, r.err
	}
	return &t, nil
}

// RotateRefreshToken implements [store.Tokens].
func (s *Store) RotateRefreshToken(ctx context.Context, old store.Digest, client string, now time.Time, grace time.Duration, next ...store.Token) error {
	if err := record.CheckTokens(next); err != nil {
		return err
	}
	// A token whose first use was after since is in its grace.
	since := ""
	if grace > 0 {
		since = formatInstant(now.Add(-grace))
	}

	args := append([]any{rand.Text(), formatDigest(old), client, formatInstant(now), since}, tokenArgs(next)...)
	return s.do(ctx, rotate, args...)
}

// tokenArgs returns the arguments that describe tokens to a script.
func tokenArgs(ts []store.Token) []any {
	args := []any{len(ts)}
	for _, t := range ts {
		args = append(args, formatDigest(t.Digest), formatTime(tokenEnds(t)), t.ID, t.Family)
		args = append(args, counted(
			"id", t.ID, "family", t.Family, "client", t.Client, "user", t.User,
			"audience", t.Audience, "scopes", t.Scopes,
			"refresh", formatFlag(t.Refresh), "used", formatFlag(t.Used), "usedat", formatTime(t.UsedAt),
			"clientversion", t.ClientVersion, "userversion", t.UserVersion,
			"issued", formatTime(t.Issued), "expires", formatTime(t.Expires), "familyends", formatTime(t.FamilyEnds))...)
	}
	return args
}

// tokenEnds returns the time from which a token has no effect. A refresh token is kept
// until its family ends, so that its reuse is noticed.
func tokenEnds(t store.Token) time.Time {
	if t.Refresh && !t.Expires.IsZero() && (t.FamilyEnds.IsZero() || t.FamilyEnds.After(t.Expires)) {
		return t.FamilyEnds
	}
	return t.Expires
}

// PutSession implements [store.Sessions].
func (s *Store) PutSession(ctx context.Context, n store.Session) error {
	if err := n.Check(); err != nil {
		return err
	}
	ends := formatTime(n.Ends)
	args := append([]any{formatDigest(n.Token), n.ID, ends}, counted(
		"id", n.ID, "cookie", formatDigest(n.Cookie), "user", n.User, "userversion", n.UserVersion,
		"expires", formatTime(n.Expires), "ends", ends)...)
	return s.do(ctx, putSession, args...)
}

// Session implements [store.Sessions].
func (s *Store) Session(ctx context.Context, token store.Digest) (*store.Session, error) {
	r, err := s.hash(ctx, "session:"+formatDigest(token))
	if err != nil {
		return nil, err
	}
	n := store.Session{
		ID: r.text("id"), Token: token, Cookie: r.digest("cookie"),
		User: r.text("user"), UserVersion: r.number("userversion"),
		Expires: r.time("expires"), Ends: r.time("ends"),
	}
	if r.err != nil {
		return nil, r.err
	}
	return &n, nil
}

// Renew implements [store.Sessions].
func (s *Store) Renew(ctx context.Context, token store.Digest, lastUse, until time.Time) error {
	return s.do(ctx, renew, formatDigest(token), formatInstant(lastUse), formatInstant(until))
}
