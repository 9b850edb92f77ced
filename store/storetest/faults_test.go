package storetest_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/authtier/authtier/store"
)

type fault struct {
	caught string // a pattern for the test that must fail
	plant  func(b *broken)
}

// hour is the step by which faulty stores change times.
const hour = time.Hour

// faults are the faults that the suite must find.
var faults = merged(faultsOfRecords, faultsOfKeys, faultsOfCreating, faultsOfChecks, faultsOfUpdates, faultsOfLists, faultsOfMistakes)

func merged(all ...map[string]fault) map[string]fault {
	m := map[string]fault{}
	for _, some := range all {
		maps.Copy(m, some)
	}
	return m
}

var faultsOfRecords = map[string]fault{
	"a rotation in two steps": {"Run/RotateConcurrent$", func(b *broken) {
		b.rotate = func(ctx context.Context, old store.Digest, client string, now time.Time, grace time.Duration, next ...store.Token) error {
			t, err := b.Store.Token(ctx, old)
			if err != nil {
				return err
			}
			if t.Used {
				return store.ErrReused
			}
			time.Sleep(time.Millisecond)
			t.Used = true
			return b.Store.PutTokens(ctx, append(next, *t)...)
		}
	}},
	"a reuse that revokes nothing": {"Run/RotateReuse$", func(b *broken) {
		b.rotate = func(ctx context.Context, old store.Digest, client string, now time.Time, grace time.Duration, next ...store.Token) error {
			if t, err := b.Store.Token(ctx, old); err == nil && t.Used {
				return store.ErrReused
			}
			return b.Store.RotateRefreshToken(ctx, old, client, now, grace, next...)
		}
	}},
	"a reuse that leaves a used token": {"Run/RotateReuse$", func(b *broken) {
		b.rotate = func(ctx context.Context, old store.Digest, client string, now time.Time, grace time.Duration, next ...store.Token) error {
			err := b.Store.RotateRefreshToken(ctx, old, client, now, grace, next...)
			if errors.Is(err, store.ErrReused) {
				b.Store.PutTokens(ctx, next...)
			}
			return err
		}
	}},
	"an expired reuse unnoticed": {"Run/RotateReuse$", func(b *broken) {
		b.rotate = func(ctx context.Context, old store.Digest, client string, now time.Time, grace time.Duration, next ...store.Token) error {
			if t, err := b.Store.Token(ctx, old); err == nil && !t.Expires.After(now) {
				return store.ErrNotFound
			}
			return b.Store.RotateRefreshToken(ctx, old, client, now, grace, next...)
		}
	}},
	"another client's token rotated": {"Run/RotateRefused$", func(b *broken) {
		b.rotate = func(ctx context.Context, old store.Digest, _ string, now time.Time, grace time.Duration, next ...store.Token) error {
			return b.Store.RotateRefreshToken(ctx, old, "c", now, grace, next...)
		}
	}},
	"an expired token rotated": {"Run/RotateRefused$", func(b *broken) {
		b.rotate = func(ctx context.Context, old store.Digest, client string, now time.Time, grace time.Duration, next ...store.Token) error {
			return b.Store.RotateRefreshToken(ctx, old, client, now.Add(-2*hour), grace, next...)
		}
	}},
	"a grace that begins anew with each use": {"Run/RotateGrace$", func(b *broken) {
		b.rotate = func(ctx context.Context, old store.Digest, client string, now time.Time, grace time.Duration, next ...store.Token) error {
			err := b.Store.RotateRefreshToken(ctx, old, client, now, grace, next...)
			if t, errToken := b.Store.Token(ctx, old); err == nil && errToken == nil {
				t.UsedAt = now
				b.Store.PutTokens(ctx, *t)
			}
			return err
		}
	}},
	"a grace that includes its end": {"Run/RotateGrace$", func(b *broken) {
		b.rotate = func(ctx context.Context, old store.Digest, client string, now time.Time, grace time.Duration, next ...store.Token) error {
			if grace > 0 {
				grace += time.Nanosecond
			}
			return b.Store.RotateRefreshToken(ctx, old, client, now, grace, next...)
		}
	}},
	"a grace for every client": {"Run/RotateGraceRefused$", func(b *broken) {
		b.rotate = func(ctx context.Context, old store.Digest, client string, now time.Time, grace time.Duration, next ...store.Token) error {
			if t, err := b.Store.Token(ctx, old); err == nil && t.Used {
				client = t.Client
			}
			return b.Store.RotateRefreshToken(ctx, old, client, now, grace, next...)
		}
	}},
	"a grace without successors": {"Run/RotateGraceConcurrent$", func(b *broken) {
		b.rotate = func(ctx context.Context, old store.Digest, client string, now time.Time, grace time.Duration, next ...store.Token) error {
			if t, err := b.Store.Token(ctx, old); err == nil && t.InGrace(now, grace) {
				return nil
			}
			return b.Store.RotateRefreshToken(ctx, old, client, now, grace, next...)
		}
	}},
	"a successor that is lost": {"Run/Rotate$", func(b *broken) {
		b.rotate = func(ctx context.Context, old store.Digest, client string, now time.Time, grace time.Duration, next ...store.Token) error {
			return b.Store.RotateRefreshToken(ctx, old, client, now, grace, next[:min(1, len(next))]...)
		}
	}},
	"a revocation that deletes nothing": {"Run/RevokeToken$", func(b *broken) {
		b.token = func(ctx context.Context, d store.Digest) (*store.Token, error) {
			return b.remembered(ctx, d)
		}
		b.putTokens = func(ctx context.Context, ts ...store.Token) error {
			b.remember(ts)
			return b.Store.PutTokens(ctx, ts...)
		}
	}},
	"a family that is revoked in part": {"Run/RevokeFamily$", func(b *broken) {
		b.revoke = func(ctx context.Context, cs ...store.Change) error {
			for i, c := range cs {
				if c.Kind == store.KindFamily {
					cs[i].Kind, cs[i].ID = store.KindToken, "id-a1"
				}
			}
			return b.Store.Revoke(ctx, cs...)
		}
	}},
	"a revoked client at its old version": {"Run/Versions$", func(b *broken) {
		b.client = func(ctx context.Context, id string) (*store.Client, error) {
			c, err := b.Store.Client(ctx, id)
			if err == nil {
				c.Version = 1
			}
			return c, err
		}
	}},
	"a version that falls": {"Run/Versions$", func(b *broken) {
		deleted := uint64(0)
		b.delUser = func(ctx context.Context, login string) error {
			if u, err := b.Store.User(ctx, login); err == nil {
				deleted = u.Version
			}
			return b.Store.DeleteUser(ctx, login)
		}
		b.user = func(ctx context.Context, login string) (*store.User, error) {
			u, err := b.Store.User(ctx, login)
			if err == nil && deleted > 0 {
				u.Version = 1
			}
			return u, err
		}
	}},
	"a new password that ends nothing": {"Run/Versions$", func(b *broken) {
		b.password = func(ctx context.Context, login, hash string) error {
			old, err := b.Store.User(ctx, login)
			if err != nil {
				return err
			}
			return b.Store.Rehash(ctx, login, old.Password, hash)
		}
	}},
	"a rehash that ends everything": {"Run/Rehash$", func(b *broken) {
		b.rehash = func(ctx context.Context, login, from, to string) error {
			err := b.Store.Rehash(ctx, login, from, to)
			return errors.Join(err, b.Store.Revoke(ctx, store.Change{Kind: store.KindUser, ID: login}))
		}
	}},
	"a rehash of what was replaced": {"Run/Rehash$", func(b *broken) {
		b.rehash = func(ctx context.Context, login, _, to string) error {
			u, err := b.Store.User(ctx, login)
			if err != nil {
				return err
			}
			return b.Store.Rehash(ctx, login, u.Password, to)
		}
	}},
	"a change that is lost": {"Run/Changes$", func(b *broken) {
		b.since = func(ctx context.Context, c store.Cursor) ([]store.Change, store.Cursor, error) {
			cs, next, err := b.Store.Since(ctx, c)
			return cs[:max(0, len(cs)-1)], next, err
		}
	}},
	"changes lost between two readings": {"Run/ChangesConcurrent$", func(b *broken) {
		b.since = func(ctx context.Context, c store.Cursor) ([]store.Change, store.Cursor, error) {
			cs, _, err := b.Store.Since(ctx, c)
			time.Sleep(20 * time.Millisecond) // other callers write now
			_, next, headErr := b.Store.Snapshot(ctx) // reads the cursor separately
			return cs, next, errors.Join(err, headErr)
		}
	}},
	"changes in another order": {"Run/Changes$", func(b *broken) {
		b.since = func(ctx context.Context, c store.Cursor) ([]store.Change, store.Cursor, error) {
			cs, next, err := b.Store.Since(ctx, c)
			slices.Reverse(cs)
			return cs, next, err
		}
	}},
	"a change for each token": {"Run/Changes$", func(b *broken) {
		b.putTokens = func(ctx context.Context, ts ...store.Token) error {
			err := b.Store.PutTokens(ctx, ts...)
			return errors.Join(err, b.Store.Revoke(ctx, store.Change{Kind: store.KindToken, ID: "none"}))
		}
	}},
	"a cursor of another history": {"Run/ForeignCursor$", func(b *broken) {
		b.since = func(ctx context.Context, c store.Cursor) ([]store.Change, store.Cursor, error) {
			cs, next, err := b.Store.Since(ctx, c)
			if errors.Is(err, store.ErrNotFound) && c.N > 0 {
				_, head, _ := b.Store.Snapshot(ctx)
				return nil, head, nil
			}
			return cs, next, err
		}
	}},
	"a snapshot without versions": {"Run/Snapshot$", func(b *broken) {
		b.snapshot = func(ctx context.Context) ([]store.Change, store.Cursor, error) {
			cs, c, err := b.Store.Snapshot(ctx)
			return slices.DeleteFunc(cs, func(c store.Change) bool { return c.Kind == store.KindUser }), c, err
		}
	}},
	"a snapshot and a later cursor": {"Run/Snapshot$", func(b *broken) {
		b.snapshot = func(ctx context.Context) ([]store.Change, store.Cursor, error) {
			cs, c, err := b.Store.Snapshot(ctx)
			c.N++
			return cs, c, err
		}
	}},
	"names without regard to case": {"Run/Names$", func(b *broken) {
		b.users = func(ctx context.Context, us ...store.User) error {
			us[0].Login = strings.ToLower(us[0].Login)
			return b.Store.CreateUsers(ctx, us...)
		}
		b.user = func(ctx context.Context, login string) (*store.User, error) {
			return b.Store.User(ctx, strings.ToLower(login))
		}
	}},
	"names that end at NUL": {"Run/Names$", func(b *broken) {
		b.users = func(ctx context.Context, us ...store.User) error {
			us[0].Login, _, _ = strings.Cut(us[0].Login, "\x00")
			return b.Store.CreateUsers(ctx, us...)
		}
	}},
	"names that are cut": {"Run/Names$", func(b *broken) {
		b.create = func(ctx context.Context, c store.Client) error {
			c.ID = c.ID[:min(255, len(c.ID))]
			return b.Store.CreateClient(ctx, c)
		}
	}},
	"two forms of one letter": {"Run/Names$", func(b *broken) {
		composed := strings.NewReplacer("e\u0301", "é")
		b.newKeys = func(ctx context.Context, ks ...store.APIKey) error {
			ks[0].ID = composed.Replace(ks[0].ID)
			return b.Store.CreateAPIKeys(ctx, ks...)
		}
		b.keyByID = func(ctx context.Context, id string) (*store.APIKey, error) {
			return b.Store.APIKeyByID(ctx, composed.Replace(id))
		}
	}},
	"a slice that is shared": {"Run/NoSharing$", func(b *broken) {
		shared := map[string]*store.Client{}
		b.client = func(ctx context.Context, id string) (*store.Client, error) {
			if shared[id] == nil {
				shared[id], _ = b.Store.Client(ctx, id)
			}
			return shared[id], nil
		}
	}},
	"an error that is no answer": {"Run/Missing$", func(b *broken) {
		b.user = func(ctx context.Context, login string) (*store.User, error) {
			u, err := b.Store.User(ctx, login)
			if err != nil {
				err = errors.New("no rows")
			}
			return u, err
		}
	}},
	"answers after Close": {"Run/Closed$", func(b *broken) {
		b.close = func() error { return nil }
	}},
	"an ended context taken for an answer": {"Run/Cancelled$", func(b *broken) {
		b.token = func(ctx context.Context, d store.Digest) (*store.Token, error) {
			t, err := b.Store.Token(ctx, d)
			if err != nil {
				err = store.ErrNotFound
			}
			return t, err
		}
	}},
	"an ended context ignored": {"Run/Cancelled$", func(b *broken) {
		b.rotate = func(ctx context.Context, old store.Digest, client string, now time.Time, grace time.Duration, next ...store.Token) error {
			return b.Store.RotateRefreshToken(context.WithoutCancel(ctx), old, client, now, grace, next...)
		}
	}},
	"times that are rounded": {"Run/Tokens$", func(b *broken) {
		b.putTokens = func(ctx context.Context, ts ...store.Token) error {
			for i := range ts {
				ts[i].Expires = ts[i].Expires.Add(30 * time.Second).Truncate(time.Minute)
			}
			return b.Store.PutTokens(ctx, ts...)
		}
	}},
	"scopes that are lost": {"Run/APIKeys$", func(b *broken) {
		b.apiKey = func(ctx context.Context, d store.Digest) (*store.APIKey, error) {
			k, err := b.Store.APIKey(ctx, d)
			if err == nil {
				k.Scopes = nil
			}
			return k, err
		}
	}},
	"a session that is revived": {"Run/Sessions$", func(b *broken) {
		b.renew = func(ctx context.Context, token store.Digest, _, until time.Time) error {
			return b.Store.Renew(ctx, token, time.Time{}, until)
		}
	}},
	"a session without its cookie": {"Run/Sessions$", func(b *broken) {
		b.session = func(ctx context.Context, token store.Digest) (*store.Session, error) {
			n, err := b.Store.Session(ctx, token)
			if err == nil {
				n.Cookie = store.Digest{}
			}
			return n, err
		}
	}},
	"a sweep that sweeps nothing": {"Run/Sweep$", func(b *broken) {
		b.sweep = func(context.Context, time.Time) error { return nil }
	}},
	"a sweep without margin": {"Run/Sweep$", func(b *broken) {
		b.sweep = func(ctx context.Context, now time.Time) error { return b.Store.Sweep(ctx, now.Add(hour)) }
	}},
	"signing keys in another order": {"Run/SigningKeys$", func(b *broken) {
		b.keys = func(ctx context.Context, set string) ([]store.SigningKey, error) {
			ks, err := b.Store.SigningKeys(ctx, set)
			slices.Reverse(ks)
			return ks, err
		}
	}},
	"increments instead of totals": {"Run/UsageRetold$", func(b *broken) {
		sum := map[uint32]int64{}
		b.record = func(ctx context.Context, s store.Stream, t store.Batch) (uint64, error) {
			for i := range t.Counts {
				sum[t.Counts[i].Counter] += t.Counts[i].Total
				t.Counts[i].Total = sum[t.Counts[i].Counter]
			}
			return b.Store.Record(ctx, s, t)
		}
	}},
	"the last total instead of the highest": {"Run/UsageRetold$", func(b *broken) {
		b.record = func(ctx context.Context, s store.Stream, t store.Batch) (uint64, error) {
			had, err := b.Store.Record(ctx, s, t)
			return min(had, t.Seq), err // reports too low a number
		}
	}},
	"totals that are kept roughly": {"Run/UsageLarge$", func(b *broken) {
		b.record = func(ctx context.Context, s store.Stream, t store.Batch) (uint64, error) {
			for i := range t.Counts {
				if t.Counts[i].Total < 1<<60 {
					continue
				}
				t.Counts[i].Total = min(t.Counts[i].Total, 1<<62) &^ 1023 // loses precision, as a floating-point number would
			}
			return b.Store.Record(ctx, s, t)
		}
	}},
	"the first thousand counts": {"Run/UsageLarge$", func(b *broken) {
		b.record = func(ctx context.Context, s store.Stream, t store.Batch) (uint64, error) {
			return b.Store.Record(ctx, s, store.Batch{Seq: t.Seq, Through: t.Through, Counts: t.Counts[:min(len(t.Counts), 1000)]})
		}
	}},
	"a revocation that another one shortens": {"Run/RevokedUntil$", func(b *broken) {
		until := map[string]time.Time{}
		b.revoke = func(ctx context.Context, cs ...store.Change) error {
			for _, c := range cs {
				until[c.ID] = c.Until
			}
			return b.Store.Revoke(ctx, cs...)
		}
		b.snapshot = func(ctx context.Context) ([]store.Change, store.Cursor, error) {
			cs, cursor, err := b.Store.Snapshot(ctx)
			for i := range cs {
				cs[i].Until = until[cs[i].ID]
			}
			return cs, cursor, err
		}
	}},
	"a report of other issuers too": {"Run/Usage$", func(b *broken) {
		b.record = func(ctx context.Context, s store.Stream, t store.Batch) (uint64, error) {
			for i := range t.Counts {
				t.Counts[i].Issuer = "iss"
			}
			return b.Store.Record(ctx, s, t)
		}
	}},
	"a report in no order": {"Run/Usage$", func(b *broken) {
		b.report = func(ctx context.Context, q store.Query) (*store.Report, error) {
			report, err := b.Store.Report(ctx, q)
			if err != nil {
				return nil, err
			}
			return store.NewReport(func(yield func(store.Row, error) bool) {
				var all []store.Row
				for r := range report.Rows() {
					all = append(all, r)
				}
				for _, r := range slices.Backward(all) {
					if !yield(r, nil) {
						return
					}
				}
			}, report.CompleteThrough), nil
		}
	}},
	"changes of one process alone": {"RunShared/Seen$", func(b *broken) {
		calls := 0
		b.since = func(ctx context.Context, c store.Cursor) ([]store.Change, store.Cursor, error) {
			if calls++; calls == 1 {
				return nil, c, nil
			}
			return b.Store.Since(ctx, c)
		}
	}},
	"a successor that a revocation misses": {"RunShared/RevokeWhileRotating$", func(b *broken) {
		b.rotate = func(ctx context.Context, old store.Digest, client string, now time.Time, grace time.Duration, next ...store.Token) error {
			err := b.Store.RotateRefreshToken(ctx, old, client, now, grace)
			if err == nil {
				time.Sleep(100 * time.Microsecond)
				err = b.Store.PutTokens(ctx, next...)
			}
			return err
		}
	}},
	"a closed stream that is heard": {"Run/UsageFolded$", func(b *broken) {
		b.record = func(ctx context.Context, s store.Stream, t store.Batch) (uint64, error) {
			had, err := b.Store.Record(ctx, s, t)
			if errors.Is(err, store.ErrStreamClosed) {
				s[15]++
				return b.Store.Record(ctx, s, t)
			}
			return had, err
		}
	}},
	"a fold that counts twice": {"Run/UsageFolded$", func(b *broken) {
		b.sweep = func(ctx context.Context, now time.Time) error {
			b.Store.Record(ctx, store.Stream{99}, store.Batch{Ended: true, Counts: []store.Count{{
				Issuer: "iss", Client: "a", API: "api", Product: "p", Day: store.DayOf(now) - store.LateDays - 2, Total: 5,
			}}})
			return b.Store.Sweep(ctx, now)
		}
	}},
	"an adjustment that is made twice": {"Run/UsageAdjusted$", func(b *broken) {
		b.adjust = func(ctx context.Context, a store.Adjustment) error {
			if a.Quantity > 0 {
				a.Key += time.Now().String()
			}
			return b.Store.Adjust(ctx, a)
		}
	}},
	"an adjustment that replaces another": {"Run/UsageAdjusted$", func(b *broken) {
		b.adjust = func(ctx context.Context, a store.Adjustment) error {
			if err := b.Store.Adjust(ctx, a); !errors.Is(err, store.ErrKeyReused) {
				return err
			}
			return nil
		}
	}},
	"an ended stream that is waited for": {"Run/UsageComplete$", func(b *broken) {
		b.record = func(ctx context.Context, s store.Stream, t store.Batch) (uint64, error) {
			t.Ended = false
			return b.Store.Record(ctx, s, t)
		}
	}},
	"days that are lost": {"Run/UsageByDay$", func(b *broken) {
		b.report = func(ctx context.Context, q store.Query) (*store.Report, error) {
			q.ByDay = false
			return b.Store.Report(ctx, q)
		}
	}},
}
