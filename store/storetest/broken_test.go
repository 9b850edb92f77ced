package storetest_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
	"github.com/authtier/authtier/store/storetest"
)

// faulty names the fault that a child process has.
const faulty = "AUTHTIER_FAULTY_STORE"

// A broken is a correct store, except for the functions that are set.
type broken struct {
	*memory.Store
	mu   sync.Mutex
	kept map[store.Digest]store.Token

	client    func(ctx context.Context, id string) (*store.Client, error)
	user      func(ctx context.Context, login string) (*store.User, error)
	create    func(ctx context.Context, c store.Client) error
	users     func(ctx context.Context, us ...store.User) error
	newKeys   func(ctx context.Context, ks ...store.APIKey) error
	upClient  func(ctx context.Context, id string, f func(*store.Client) error) error
	upUser    func(ctx context.Context, login string, f func(*store.User) error) error
	upKey     func(ctx context.Context, id string, f func(*store.APIKey) error) error
	password  func(ctx context.Context, login, hash string) error
	delClient func(ctx context.Context, id string) error
	delUser   func(ctx context.Context, login string) error
	rehash    func(ctx context.Context, login, from, to string) error
	apiKey    func(ctx context.Context, d store.Digest) (*store.APIKey, error)
	listC     func(ctx context.Context, after string, limit int) ([]store.Client, error)
	listU     func(ctx context.Context, after string, limit int) ([]store.User, error)
	listK     func(ctx context.Context, client, after string, limit int) ([]store.APIKey, error)
	keyByID   func(ctx context.Context, id string) (*store.APIKey, error)
	secretsOf func(ctx context.Context, client string) ([]store.Secret, error)
	replace   func(ctx context.Context, id string, until time.Time, next store.APIKey) error
	addSecret func(ctx context.Context, client string, s store.Secret) error
	newSecret func(ctx context.Context, client string, s store.Secret, until time.Time) error
	delSecret func(ctx context.Context, client, id string) error
	touch     func(ctx context.Context, uses ...store.Use) error
	putTokens func(ctx context.Context, ts ...store.Token) error
	token     func(ctx context.Context, d store.Digest) (*store.Token, error)
	rotate    func(ctx context.Context, old store.Digest, client string, now time.Time, grace time.Duration, next ...store.Token) error
	session   func(ctx context.Context, token store.Digest) (*store.Session, error)
	renew     func(ctx context.Context, token store.Digest, lastUse, until time.Time) error
	revoke    func(ctx context.Context, cs ...store.Change) error
	since     func(ctx context.Context, c store.Cursor) ([]store.Change, store.Cursor, error)
	snapshot  func(ctx context.Context) ([]store.Change, store.Cursor, error)
	record    func(ctx context.Context, s store.Stream, t store.Batch) (uint64, error)
	adjust    func(ctx context.Context, a store.Adjustment) error
	adjusted  func(ctx context.Context, q store.Query) ([]store.Adjustment, error)
	report    func(ctx context.Context, q store.Query) (*store.Report, error)
	sweep     func(ctx context.Context, now time.Time) error
	keys      func(ctx context.Context, set string) ([]store.SigningKey, error)
	putKeys   func(ctx context.Context, ks ...store.SigningKey) error
	login     func(ctx context.Context, n store.Session) error
	close     func() error // if set, the store has a Close method
}

func (b *broken) Client(ctx context.Context, id string) (*store.Client, error) {
	return b.client(ctx, id)
}
func (b *broken) User(ctx context.Context, login string) (*store.User, error) {
	return b.user(ctx, login)
}
func (b *broken) CreateClient(ctx context.Context, c store.Client) error { return b.create(ctx, c) }
func (b *broken) CreateUsers(ctx context.Context, us ...store.User) error {
	return b.users(ctx, us...)
}
func (b *broken) CreateAPIKeys(ctx context.Context, ks ...store.APIKey) error {
	return b.newKeys(ctx, ks...)
}
func (b *broken) UpdateClient(ctx context.Context, id string, f func(*store.Client) error) error {
	return b.upClient(ctx, id, f)
}
func (b *broken) UpdateUser(ctx context.Context, login string, f func(*store.User) error) error {
	return b.upUser(ctx, login, f)
}
func (b *broken) UpdateAPIKey(ctx context.Context, id string, f func(*store.APIKey) error) error {
	return b.upKey(ctx, id, f)
}
func (b *broken) SetPassword(ctx context.Context, login, hash string) error {
	return b.password(ctx, login, hash)
}
func (b *broken) DeleteClient(ctx context.Context, id string) error  { return b.delClient(ctx, id) }
func (b *broken) DeleteUser(ctx context.Context, login string) error { return b.delUser(ctx, login) }
func (b *broken) Rehash(ctx context.Context, login, from, to string) error {
	return b.rehash(ctx, login, from, to)
}
func (b *broken) APIKey(ctx context.Context, d store.Digest) (*store.APIKey, error) {
	return b.apiKey(ctx, d)
}
func (b *broken) ListClients(ctx context.Context, after string, limit int) ([]store.Client, error) {
	return b.listC(ctx, after, limit)
}
func (b *broken) ListUsers(ctx context.Context, after string, limit int) ([]store.User, error) {
	return b.listU(ctx, after, limit)
}
func (b *broken) ListAPIKeys(ctx context.Context, client, after string, limit int) ([]store.APIKey, error) {
	return b.listK(ctx, client, after, limit)
}
func (b *broken) APIKeyByID(ctx context.Context, id string) (*store.APIKey, error) {
	return b.keyByID(ctx, id)
}
func (b *broken) SecretsOf(ctx context.Context, client string) ([]store.Secret, error) {
	return b.secretsOf(ctx, client)
}
func (b *broken) ReplaceAPIKey(ctx context.Context, id string, until time.Time, next store.APIKey) error {
	return b.replace(ctx, id, until, next)
}
func (b *broken) AddSecret(ctx context.Context, client string, s store.Secret) error {
	return b.addSecret(ctx, client, s)
}
func (b *broken) ReplaceSecrets(ctx context.Context, client string, s store.Secret, until time.Time) error {
	return b.newSecret(ctx, client, s, until)
}
func (b *broken) DeleteSecret(ctx context.Context, client, id string) error {
	return b.delSecret(ctx, client, id)
}
func (b *broken) Touch(ctx context.Context, uses ...store.Use) error { return b.touch(ctx, uses...) }
func (b *broken) PutTokens(ctx context.Context, ts ...store.Token) error {
	return b.putTokens(ctx, ts...)
}
func (b *broken) Token(ctx context.Context, d store.Digest) (*store.Token, error) {
	return b.token(ctx, d)
}
func (b *broken) RotateRefreshToken(ctx context.Context, old store.Digest, client string, now time.Time, grace time.Duration, next ...store.Token) error {
	return b.rotate(ctx, old, client, now, grace, next...)
}
func (b *broken) Session(ctx context.Context, token store.Digest) (*store.Session, error) {
	return b.session(ctx, token)
}
func (b *broken) Renew(ctx context.Context, token store.Digest, lastUse, until time.Time) error {
	return b.renew(ctx, token, lastUse, until)
}
func (b *broken) Revoke(ctx context.Context, cs ...store.Change) error { return b.revoke(ctx, cs...) }
func (b *broken) Since(ctx context.Context, c store.Cursor) ([]store.Change, store.Cursor, error) {
	return b.since(ctx, c)
}
func (b *broken) Snapshot(ctx context.Context) ([]store.Change, store.Cursor, error) {
	return b.snapshot(ctx)
}
func (b *broken) Record(ctx context.Context, s store.Stream, t store.Batch) (uint64, error) {
	return b.record(ctx, s, t)
}
func (b *broken) Adjust(ctx context.Context, a store.Adjustment) error { return b.adjust(ctx, a) }
func (b *broken) Adjustments(ctx context.Context, q store.Query) ([]store.Adjustment, error) {
	return b.adjusted(ctx, q)
}
func (b *broken) Report(ctx context.Context, q store.Query) (*store.Report, error) {
	return b.report(ctx, q)
}
func (b *broken) Sweep(ctx context.Context, now time.Time) error { return b.sweep(ctx, now) }
func (b *broken) SigningKeys(ctx context.Context, set string) ([]store.SigningKey, error) {
	return b.keys(ctx, set)
}
func (b *broken) PutSigningKeys(ctx context.Context, ks ...store.SigningKey) error {
	return b.putKeys(ctx, ks...)
}
func (b *broken) PutSession(ctx context.Context, n store.Session) error { return b.login(ctx, n) }

type closable struct{ *broken }

func (c closable) Close() error { return c.close() }

func newBroken() *broken {
	m := memory.New()
	return &broken{
		Store: m, client: m.Client, user: m.User, apiKey: m.APIKey, rehash: m.Rehash, password: m.SetPassword,
		create: m.CreateClient, users: m.CreateUsers, newKeys: m.CreateAPIKeys,
		upClient: m.UpdateClient, upUser: m.UpdateUser, upKey: m.UpdateAPIKey, delClient: m.DeleteClient, delUser: m.DeleteUser,
		listC: m.ListClients, listU: m.ListUsers, listK: m.ListAPIKeys, keyByID: m.APIKeyByID, secretsOf: m.SecretsOf,
		replace: m.ReplaceAPIKey, addSecret: m.AddSecret, newSecret: m.ReplaceSecrets, delSecret: m.DeleteSecret, touch: m.Touch,
		putTokens: m.PutTokens, token: m.Token, rotate: m.RotateRefreshToken, session: m.Session, login: m.PutSession, renew: m.Renew,
		revoke: m.Revoke, since: m.Since, snapshot: m.Snapshot, record: m.Record, adjust: m.Adjust, adjusted: m.Adjustments, report: m.Report,
		sweep: m.Sweep, keys: m.SigningKeys, putKeys: m.PutSigningKeys,
	}
}

// TestBroken runs the suite on each broken store, in a process of its own. The suite must
// fail in the expected test.
func TestBroken(t *testing.T) {
	if fault := os.Getenv(faulty); fault != "" {
		run := func(t *testing.T) *broken {
			b := newBroken()
			faults[fault].plant(b)
			return b
		}
		t.Run("Run", func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) store.Store {
				b := run(t)
				if b.close != nil {
					return closable{b}
				}
				return b
			})
		})
		t.Run("RunShared", func(t *testing.T) {
			storetest.RunShared(t, func(t *testing.T) (a, b store.Store) {
				s := run(t)
				return s, s
			})
		})
		return
	}
	for _, name := range slices.Sorted(maps.Keys(faults)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// A broken store may panic or hang, and must not take the other tests with it.
			cmd := exec.Command(os.Args[0], "-test.run", "^TestBroken$/"+faults[name].caught, "-test.timeout", "1m")
			cmd.Env = append(os.Environ(), faulty+"="+name)
			out, err := cmd.CombinedOutput()
			if _, failed := errors.AsType[*exec.ExitError](err); !failed || !bytes.Contains(out, []byte("--- FAIL: TestBroken/"+strings.TrimSuffix(faults[name].caught, "$"))) {
				t.Errorf("not caught by %s: %v\n%s", faults[name].caught, err, out)
			}
		})
	}
}

// TestWhole runs the suite on a store without a fault.
func TestWhole(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return newBroken() })
}

// remember and remembered keep a copy of the tokens that no revocation reaches.
func (b *broken) remember(ts []store.Token) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.kept == nil {
		b.kept = map[store.Digest]store.Token{}
	}
	for _, t := range ts {
		b.kept[t.Digest] = t
	}
}

func (b *broken) remembered(ctx context.Context, d store.Digest) (*store.Token, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t, ok := b.kept[d]; ok {
		return &t, nil
	}
	return b.Store.Token(ctx, d)
}
