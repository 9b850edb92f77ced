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

// A feed writes changes. Each transaction that writes changes first locks the head, of
// which there is one. Numbers are therefore in the order of commits, and two such
// transactions never deadlock. This process has one of them at a time. Callers that
// come in the meantime share the next one.
type feed struct {
	mu      sync.Mutex
	waiting []*job
	writing bool
}

// A job is the work of one caller.
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

// change runs do in a transaction, together with the changes that do adds.
func (s *Store) change(ctx context.Context, what string, do func(ctx context.Context, tx *feedTx) error) error {
	if err := ctx.Err(); err != nil {
		return s.wrap(what, err)
	}
	// A job may wait for the whole transaction before its own.
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

	// The job may still run when ctx has ended. Its channel has room for the result.
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

// create runs do as change does. If there are many records, it runs do in a transaction
// of its own and gives it more time, since others would not wait that long.
//
// Creating adds no change to the feed, but it also locks the head (see feed). Otherwise
// a revocation and a creation at the same time would each miss the uncommitted writes
// of the other, and the key would live although it was revoked. The head puts one of
// them first. It also makes revocations wait, which is why the number of records is
// limited.
func (s *Store) create(ctx context.Context, what string, records int, do func(ctx context.Context, tx *feedTx) error) error {
	if records <= few {
		return s.change(ctx, what, do)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*timeout)
	defer cancel()
	_, err := s.writeTogether(ctx, []*job{{do: s.setUpBatch}, {do: do}})
	return s.wrap(what, err)
}

func (s *Store) setUpBatch(ctx context.Context, tx *feedTx) error {
	if s.dialect.Batch == "" {
		return nil
	}
	_, err := tx.ExecContext(ctx, s.dialect.Batch)
	return err
}

// writeChanges runs the waiting jobs until there are none.
func (s *Store) writeChanges() {
	f := &s.feed
	for {
		// If no job waits, the next one that is added starts a new writer.
		f.mu.Lock()
		jobs := f.waiting
		f.waiting = nil
		f.writing = len(jobs) > 0
		f.mu.Unlock()
		if len(jobs) == 0 {
			return
		}
		// A caller whose context has ended does not wait for its job any more.
		jobs = slices.DeleteFunc(jobs, func(j *job) bool { return j.ctx.Err() != nil })
		if len(jobs) == 0 {
			continue
		}

		failed, err := s.writeInTime(jobs)
		// A job that fails must not fail the others, so each runs again alone.
		if failed != nil && len(jobs) > 1 {
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

// writeInTime runs jobs in one transaction. The transaction does not depend on the
// contexts of the jobs, because ending one caller's must not fail the others.
func (s *Store) writeInTime(jobs []*job) (failed *job, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return s.writeTogether(ctx, jobs)
}

// writeTogether runs jobs in one transaction. If a job fails, it returns that job.
func (s *Store) writeTogether(ctx context.Context, jobs []*job) (failed *job, err error) {
	sqlTx, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer sqlTx.Rollback()

	tx := &feedTx{Tx: sqlTx, dialect: &s.dialect}
	var head uint64
	// A database without a head is damaged. %v keeps that from becoming ErrNotFound.
	if err := tx.QueryRowContext(ctx, `UPDATE authtier_head SET n = n WHERE one = 1 RETURNING n`).Scan(&head); err != nil {
		return nil, fmt.Errorf("the head of the changes: %v", err)
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

// append stores the transaction's changes after the head.
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

// appendBatch is how many changes one statement stores, if there are that many.
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

	// The client or user need not exist: one that is created later gets this version.
	query := `UPDATE authtier_clients SET version = $1 WHERE id_key = $2`
	if c.Kind == store.KindUser {
		query = `UPDATE authtier_users SET version = $1 WHERE login_key = $2`
	}
	if _, err := tx.ExecContext(ctx, query, int64(c.Version), key(c.ID)); err != nil {
		return err
	}
	return tx.enter(ctx, c)
}

// enter adds c to the changes. It also adds c to the changes in force, which are kept
// longer than the sequence. It never shortens a change in force.
func (tx *feedTx) enter(ctx context.Context, c store.Change) error {
	// A Snapshot omits keys, because callers read these from the store.
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

// version returns the version of a client or user. It is 1 until it is raised.
func (tx *feedTx) version(ctx context.Context, k store.Kind, id string) (uint64, error) {
	var v uint64
	err := tx.QueryRowContext(ctx, `SELECT version FROM authtier_in_force WHERE kind = $1 AND id_key = $2`,
		int64(k), key(id)).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		return 1, nil
	}
	return v, err
}
