package sqlstore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/authtier/authtier/store"
)

// A feed writes changes. There is one head, which whoever writes a change
// locks first: numbers are in the order of commits, and no two transactions
// that write changes can wait for each other. This process has one of them at a
// time; who comes meanwhile shares the next.
type feed struct {
	mu      sync.Mutex
	waiting []*job
	writing bool
}

// A job is what one caller has to write.
type job struct {
	ctx  context.Context
	do   func(ctx context.Context, tx *feedTx) error
	done chan error // holds one
}

// A feedTx is a transaction that holds the head.
type feedTx struct {
	*sql.Tx
	dialect *Dialect
	changes []store.Change
}

func (tx *feedTx) scan(ctx context.Context, query string, args ...any) scan {
	return func(into ...any) error { return tx.QueryRowContext(ctx, query, args...).Scan(into...) }
}

// change runs do in a transaction, together with the changes that it adds.
func (s *Store) change(ctx context.Context, what string, do func(ctx context.Context, tx *feedTx) error) error {
	if err := ctx.Err(); err != nil {
		return s.wrap(what, err)
	}
	// The transaction before may take as long as it may, and so may this one.
	ctx, cancel := context.WithTimeout(ctx, timeout+timeout/4)
	defer cancel()
	j := &job{ctx: ctx, do: do, done: make(chan error, 1)}
	f := &s.feed
	f.mu.Lock()
	f.waiting = append(f.waiting, j)
	if !f.writing {
		f.writing = true
		go s.writeChanges()
	}
	f.mu.Unlock()
	select {
	case err := <-j.done:
		return s.wrap(what, err)
	case <-ctx.Done():
		return s.wrap(what, context.Cause(ctx))
	}
}

const (
	createBatch = 1000 // records of one statement
	few         = 100  // records that are created together with the changes of others
)

// create runs do as change does. Many records get a transaction of their own, and more
// time.
func (s *Store) create(ctx context.Context, what string, records int, do func(ctx context.Context, tx *feedTx) error) error {
	if records <= few {
		return s.change(ctx, what, do)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*timeout)
	defer cancel()
	_, err := s.writeTogether(ctx, []*job{{do: do}})
	return s.wrap(what, err)
}

// writeChanges writes what waits until nothing does.
func (s *Store) writeChanges() {
	f := &s.feed
	for {
		f.mu.Lock()
		jobs := f.waiting
		f.waiting = nil
		f.writing = len(jobs) > 0
		f.mu.Unlock()
		if len(jobs) == 0 {
			return
		}
		jobs = slices.DeleteFunc(jobs, func(j *job) bool { return j.ctx.Err() != nil }) // nobody waits for them
		if len(jobs) == 0 {
			continue
		}
		failed, err := s.writeInTime(jobs)
		if failed != nil && len(jobs) > 1 { // one spoils no other
			for _, j := range jobs {
				if j.ctx.Err() != nil {
					continue
				}
				_, err := s.writeInTime([]*job{j})
				j.done <- err
			}
			continue
		}
		for _, j := range jobs {
			j.done <- err
		}
	}
}

// writeInTime runs jobs in one transaction. It ends with none of their contexts,
// since others wait for it.
func (s *Store) writeInTime(jobs []*job) (failed *job, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return s.writeTogether(ctx, jobs)
}

// writeTogether runs jobs in one transaction. If a job fails, it says which one.
func (s *Store) writeTogether(ctx context.Context, jobs []*job) (failed *job, err error) {
	sqlTx, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer sqlTx.Rollback()
	tx := &feedTx{Tx: sqlTx, dialect: &s.dialect}
	var head uint64
	if err := tx.QueryRowContext(ctx, `UPDATE authtier_head SET n = n WHERE one = 1 RETURNING n`).Scan(&head); err != nil {
		return nil, fmt.Errorf("the head of the changes: %v", err) // that there is none is no answer
	}
	for _, j := range jobs {
		if err := j.do(ctx, tx); err != nil {
			return j, err
		}
	}
	if err := s.append(ctx, tx, head); err != nil {
		return nil, err
	}
	return nil, tx.Commit()
}

// append enters the transaction's changes after the head.
func (s *Store) append(ctx context.Context, tx *feedTx, head uint64) error {
	if len(tx.changes) == 0 {
		return nil
	}
	for rest := tx.changes; len(rest) > 0; {
		n := 1
		if len(rest) >= appendBatch {
			n = appendBatch
		}
		if err := tx.appendSome(ctx, head, rest[:n]); err != nil {
			return err
		}
		head, rest = head+uint64(n), rest[n:]
	}
	if _, err := tx.ExecContext(ctx, `UPDATE authtier_head SET n = $1 WHERE one = 1`, int64(head)); err != nil {
		return err
	}
	if s.dialect.Notify == "" {
		return nil
	}
	_, err := tx.ExecContext(ctx, s.dialect.Notify)
	return err
}

// appendBatch is how many changes one statement enters, if there are as many.
const appendBatch = 100

func (tx *feedTx) appendSome(ctx context.Context, head uint64, cs []store.Change) error {
	const columns = 6
	args := make([]any, 0, len(cs)*columns)
	for _, c := range cs {
		head++
		nonce := make([]byte, 8)
		rand.Read(nonce)
		args = append(args, int64(head), nonce, int64(c.Kind), []byte(c.ID), int64(c.Version), micros(c.Until))
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO authtier_changes (n, nonce, kind, id, version, until) VALUES `+
		tx.dialect.placeholders(len(cs), columns), args...)
	return err
}

// Revoke implements [store.Changes].
func (s *Store) Revoke(ctx context.Context, cs ...store.Change) error {
	return s.change(ctx, "revoking", func(ctx context.Context, tx *feedTx) error {
		for _, c := range cs {
			if err := tx.revoke(ctx, c); err != nil {
				return err
			}
		}
		return nil
	})
}

// revoke applies c to the records and adds it to the changes.
func (tx *feedTx) revoke(ctx context.Context, c store.Change) error {
	var err error
	switch c.Kind {
	case store.KindToken:
		_, err = tx.ExecContext(ctx, `DELETE FROM authtier_tokens WHERE id_key = $1`, key(c.ID))
	case store.KindFamily:
		err = tx.deleteFamily(ctx, c.ID)
	case store.KindSession:
		_, err = tx.ExecContext(ctx, `DELETE FROM authtier_sessions WHERE id_key = $1`, key(c.ID))
	case store.KindAPIKey:
		err = tx.buryAPIKey(ctx, c.ID)
	case store.KindClient:
		return tx.raise(ctx, c)
	case store.KindUser:
		if err := tx.raise(ctx, c); err != nil {
			return err
		}
		return tx.revokeAPIKeys(ctx, `owner = $1 AND length(owner) > 0`, []byte(c.ID))
	}
	if err != nil {
		return err
	}
	return tx.enter(ctx, c)
}

// raise gives a client or user a version higher than its own and than that of c, and
// adds the change.
func (tx *feedTx) raise(ctx context.Context, c store.Change) error {
	version, err := tx.version(ctx, c.Kind, c.ID)
	if err != nil {
		return err
	}
	c.Version, c.Until = max(version, c.Version)+1, time.Time{}
	query := `UPDATE authtier_clients SET version = $1 WHERE id_key = $2`
	if c.Kind == store.KindUser {
		query = `UPDATE authtier_users SET version = $1 WHERE login_key = $2`
	}
	if _, err := tx.ExecContext(ctx, query, int64(c.Version), key(c.ID)); err != nil {
		return err
	}
	return tx.enter(ctx, c)
}

// enter adds c to the changes, and to those in force for longer than the
// sequence is kept. One that is in force is never shortened.
func (tx *feedTx) enter(ctx context.Context, c store.Change) error {
	if c.Kind != store.KindAPIKey && c.Kind != store.KindSigningKey {
		var until int64
		err := tx.QueryRowContext(ctx, `
			INSERT INTO authtier_in_force (kind, id_key, id, version, until) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (kind, id_key) DO UPDATE SET version = excluded.version, until = CASE
				WHEN authtier_in_force.until = 0 OR excluded.until = 0 THEN 0
				WHEN authtier_in_force.until > excluded.until THEN authtier_in_force.until
				ELSE excluded.until END
			RETURNING until`,
			int64(c.Kind), key(c.ID), []byte(c.ID), int64(c.Version), micros(c.Until)).Scan(&until)
		if err != nil {
			return err
		}
	}
	tx.changes = append(tx.changes, c)
	return nil
}

// deleteFamily deletes a family's tokens. A rotation that commits meanwhile
// leaves a successor that the statement did not see, but was waited for: only
// when there is none left is there none.
func (tx *feedTx) deleteFamily(ctx context.Context, family string) error {
	for {
		r, err := tx.ExecContext(ctx, `DELETE FROM authtier_tokens WHERE family_key = $1`, key(family))
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return err
		}
	}
}

// version returns the version of a client or user: 1 until it is raised.
func (tx *feedTx) version(ctx context.Context, k store.Kind, id string) (uint64, error) {
	var v uint64
	err := tx.QueryRowContext(ctx, `SELECT version FROM authtier_in_force WHERE kind = $1 AND id_key = $2`,
		int64(k), key(id)).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		return 1, nil
	}
	return v, err
}

// Since implements [store.Changes].
func (s *Store) Since(ctx context.Context, c store.Cursor) ([]store.Change, store.Cursor, error) {
	const what = "reading changes"
	if c == (store.Cursor{}) {
		return nil, c, store.ErrNotFound
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	rows, err := s.read.QueryContext(ctx, `
		SELECT n, nonce, kind, id, version, until FROM authtier_changes WHERE n >= $1 ORDER BY n`, int64(c.N))
	if err != nil {
		return nil, store.Cursor{}, s.wrap(what, err)
	}
	defer rows.Close()
	var cs []store.Change
	var at store.Cursor
	for first := true; rows.Next(); first = false {
		change, next, err := scanChange(rows)
		switch {
		case err != nil:
			return nil, store.Cursor{}, s.wrap(what, err)
		case first && next != c:
			return nil, store.Cursor{}, store.ErrNotFound
		case !first && next.N != at.N+1:
			return nil, store.Cursor{}, s.wrap(what, fmt.Errorf("change %d is followed by %d", at.N, next.N))
		case !first:
			cs = append(cs, change)
		}
		at = next
	}
	if err := rows.Err(); err != nil {
		return nil, store.Cursor{}, s.wrap(what, err)
	}
	if at != c && len(cs) == 0 {
		return nil, store.Cursor{}, store.ErrNotFound
	}
	return cs, at, nil
}

func scanChange(rows *sql.Rows) (c store.Change, at store.Cursor, err error) {
	var nonce, id []byte
	var kind, until int64
	if err = rows.Scan(&at.N, &nonce, &kind, &id, &c.Version, &until); err != nil {
		return c, at, err
	}
	if len(nonce) != len(at.Nonce) || kind < 0 || kind > 255 {
		return c, at, fmt.Errorf("change %d is damaged", at.N)
	}
	copy(at.Nonce[:], nonce)
	c.Kind, c.ID, c.Until = store.Kind(kind), string(id), timeOf(until)
	return c, at, nil
}

// Snapshot implements [store.Changes].
func (s *Store) Snapshot(ctx context.Context) ([]store.Change, store.Cursor, error) {
	cs, at, err := s.snapshot(ctx)
	return cs, at, s.wrap("reading what is revoked", err)
}

func (s *Store) snapshot(ctx context.Context) ([]store.Change, store.Cursor, error) {
	tx, err := s.read.BeginTx(ctx, s.dialect.Snapshot)
	if err != nil {
		return nil, store.Cursor{}, err
	}
	defer tx.Rollback()
	var at store.Cursor
	var nonce []byte
	err = tx.QueryRowContext(ctx, `SELECT n, nonce FROM authtier_changes ORDER BY n DESC LIMIT 1`).Scan(&at.N, &nonce)
	if err != nil {
		return nil, store.Cursor{}, fmt.Errorf("the last change: %v", err) // that there is none is no answer
	}
	copy(at.Nonce[:], nonce)
	rows, err := tx.QueryContext(ctx, `SELECT kind, id, version, until FROM authtier_in_force`)
	if err != nil {
		return nil, store.Cursor{}, err
	}
	defer rows.Close()
	var cs []store.Change
	for rows.Next() {
		var c store.Change
		var kind, until int64
		var id []byte
		if err := rows.Scan(&kind, &id, &c.Version, &until); err != nil {
			return nil, store.Cursor{}, err
		}
		c.Kind, c.ID, c.Until = store.Kind(kind), string(id), timeOf(until)
		cs = append(cs, c)
	}
	return cs, at, rows.Err()
}
