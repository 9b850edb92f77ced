package sqlstore

import (
	"context"
	"database/sql"
	"math"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/record"
)

const tokenColumns = 18

// insertTokens returns the statement that stores n tokens or none.
func (d Dialect) insertTokens(n int) string {
	return `INSERT INTO authtier_tokens (digest, id_key, id, family_key, family, client, login, audience, scopes,
		refresh, used, used_at, client_version, user_version, issued, expires, family_ends, droppable) VALUES ` +
		d.placeholders(n, tokenColumns)
}

type exec func(ctx context.Context, query string, args ...any) (sql.Result, error)

func (s *Store) putTokens(ctx context.Context, e exec, ts []store.Token) error {
	for len(ts) > 0 {
		// The statements for one token and for two are made once, by New.
		n, query := 1, s.insertOne
		if len(ts) > 1 {
			n, query = 2, s.insertTwo
		}

		args := make([]any, 0, n*tokenColumns)
		for _, t := range ts[:n] {
			// A refresh token stays until its family ends, so that reuse is noticed.
			droppable := t.Expires
			if t.Refresh {
				droppable = t.FamilyEnds
			}
			args = append(args, t.Digest[:], key(t.ID), []byte(t.ID), key(t.Family), []byte(t.Family),
				[]byte(t.Client), []byte(t.User), []byte(t.Audience), []byte(t.Scopes),
				integer(t.Refresh), integer(t.Used), micros(t.UsedAt), int64(t.ClientVersion), int64(t.UserVersion),
				micros(t.Issued), micros(t.Expires), micros(t.FamilyEnds), micros(droppable))
		}
		if _, err := e(ctx, query, args...); err != nil {
			return err
		}
		ts = ts[n:]
	}
	return nil
}

// PutTokens implements [store.Tokens].
func (s *Store) PutTokens(ctx context.Context, ts ...store.Token) error {
	if err := record.CheckTokens(ts); err != nil {
		return err
	}
	if len(ts) > 2 {
		// Several statements are needed, and all tokens must be stored or none.
		return s.tx(ctx, "storing tokens", func(ctx context.Context, tx *sql.Tx) error { return s.putTokens(ctx, tx.ExecContext, ts) })
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return s.wrap("storing tokens", s.putTokens(ctx, s.exec, ts)) // one statement needs no transaction
}

// Token implements [store.Tokens].
func (s *Store) Token(ctx context.Context, d store.Digest) (*store.Token, error) {
	t := &store.Token{Digest: d}
	var id, family, client, user, audience, scopes []byte
	var refresh, used, usedAt, issued, expires, familyEnds int64
	err := s.row(ctx, "reading a token", `
		SELECT id, family, client, login, audience, scopes, refresh, used, used_at, client_version, user_version, issued, expires, family_ends
		FROM authtier_tokens WHERE digest = $1`, []any{d[:]},
		&id, &family, &client, &user, &audience, &scopes, &refresh, &used, &usedAt, &t.ClientVersion, &t.UserVersion,
		&issued, &expires, &familyEnds)
	if err != nil {
		return nil, err
	}

	t.ID, t.Family, t.Client, t.User = string(id), string(family), string(client), string(user)
	t.Audience, t.Scopes, t.Refresh, t.Used = string(audience), string(scopes), refresh != 0, used != 0
	t.Issued, t.Expires, t.FamilyEnds, t.UsedAt = timeOf(issued), timeOf(expires), timeOf(familyEnds), timeOf(usedAt)
	return t, nil
}

// RotateRefreshToken implements [store.Tokens]. If several callers find the token unused,
// the database lets one of them mark it. Uses within the grace also write the row, without
// changing it, so that a revocation of the family waits for their successors too. The
// change that a reuse makes is written in a transaction of its own.
func (s *Store) RotateRefreshToken(ctx context.Context, old store.Digest, client string, now time.Time, grace time.Duration, next ...store.Token) error {
	if err := record.CheckTokens(next); err != nil {
		return err
	}
	// A token whose first use was after since is in its grace.
	since := int64(math.MaxInt64)
	if grace > 0 {
		since = micros(now.Add(-grace))
	}

	var reused *store.Change
	err := s.tx(ctx, "rotating a token", func(ctx context.Context, tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, `
			UPDATE authtier_tokens SET used = 1, used_at = CASE WHEN used = 0 THEN $3 ELSE used_at END
			WHERE digest = $1 AND client = $2 AND refresh = 1 AND expires > $3
				AND (used = 0 OR used_at <> 0 AND used_at > $4)`,
			old[:], []byte(client), micros(now), since)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 1 {
			if err == nil {
				err = s.putTokens(ctx, tx.ExecContext, next)
			}
			return err
		}

		// The token was not rotated. Find out whether this is reuse.
		var family []byte
		var ends int64
		err = tx.QueryRowContext(ctx, `
			SELECT family, family_ends FROM authtier_tokens
			WHERE digest = $1 AND client = $2 AND refresh = 1 AND used = 1 AND (used_at = 0 OR used_at <= $3)`,
			old[:], []byte(client), since).Scan(&family, &ends)
		if err != nil {
			return err
		}
		reused = &store.Change{Kind: store.KindFamily, ID: string(family), Until: timeOf(ends)}
		return nil
	})

	// Reuse revokes the family, in a transaction that holds the head.
	if err != nil || reused == nil {
		return err
	}
	if err := s.Revoke(ctx, *reused); err != nil {
		return err
	}
	return store.ErrReused
}

// PutSession implements [store.Sessions].
func (s *Store) PutSession(ctx context.Context, n store.Session) error {
	if err := n.Check(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	_, err := s.exec(ctx, `
		INSERT INTO authtier_sessions (token, id_key, id, cookie, login, user_version, expires, ends)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		n.Token[:], key(n.ID), []byte(n.ID), n.Cookie[:], []byte(n.User), int64(n.UserVersion), micros(n.Expires), micros(n.Ends))
	return s.wrap("storing a session", err)
}

// Session implements [store.Sessions].
func (s *Store) Session(ctx context.Context, token store.Digest) (*store.Session, error) {
	const what = "reading a session"
	n := &store.Session{Token: token}
	var id, cookie, user []byte
	var expires, ends int64
	err := s.row(ctx, what, `
		SELECT id, cookie, login, user_version, expires, ends FROM authtier_sessions WHERE token = $1`,
		[]any{token[:]}, &id, &cookie, &user, &n.UserVersion, &expires, &ends)
	if err != nil {
		return nil, err
	}
	n.ID, n.User, n.Expires, n.Ends = string(id), string(user), timeOf(expires), timeOf(ends)
	n.Cookie, err = digestOf(cookie)
	return n, s.wrap(what, err)
}

// Renew implements [store.Sessions].
func (s *Store) Renew(ctx context.Context, token store.Digest, lastUse, until time.Time) error {
	return s.tx(ctx, "renewing a session", func(ctx context.Context, tx *sql.Tx) error {
		// A concurrent renewal may have set a later time, which stays.
		return touched(tx.ExecContext(ctx, `
			UPDATE authtier_sessions SET expires = CASE
				WHEN expires > $1 THEN expires
				WHEN ends < $1 THEN ends
				ELSE $1 END
			WHERE token = $2 AND expires > $3`, micros(until), token[:], micros(lastUse)))
	})
}
