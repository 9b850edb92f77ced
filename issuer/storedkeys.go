package issuer

import (
	"cmp"
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// StoredKeysConfig configures [OpenKeys]. Seal must be set.
type StoredKeysConfig struct {
	// Seal is 32 bytes that encrypt the private keys in the store, see
	// [ReadSeal]. All nodes have the same. 32 equal bytes, as of a buffer that
	// nothing was read into, are an error.
	Seal []byte `json:"-"`

	// Set is the name of the key set in the store. If empty, it is "authtier".
	Set string

	// Alg is the algorithm of new keys: ES256, if empty.
	Alg string

	// MaxTTL is the longest lifetime of a token, which nothing signs beyond: a key
	// that signs no more verifies that much longer. If 0, it is a day. All nodes
	// have the same.
	MaxTTL time.Duration
}

// Format writes cfg without its seal, whatever the verb.
func (cfg StoredKeysConfig) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "stored keys of the set %q, algorithm %q, MaxTTL %v", cfg.Set, cfg.Alg, cfg.MaxTTL)
}

// LogValue returns cfg without its seal.
func (cfg StoredKeysConfig) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(cfg)) }

// storedKeys are the keys of a set that several nodes share.
type storedKeys struct {
	db     store.SigningKeys
	cfg    StoredKeysConfig
	sealer sealer

	mu      sync.Mutex // one reader at a time
	records []store.SigningKey
	foreign error // of records beside them that do not open

	asking chan struct{} // has room for who reads, or looks at what came of it
	asked  time.Time     // when an unknown key last made us read
	failed error         // what came of it
}

const (
	// publishedBefore is how long a key is published before it signs: whoever
	// keeps the key set has read it again by then, and so has every node.
	publishedBefore = publicAge + 30*time.Second

	// replacedSigns is how long a node may go on signing with a key that was
	// replaced.
	replacedSigns = time.Minute

	// askAgain is how often an unknown kid, which costs its sender nothing, makes
	// us read the store.
	askAgain = time.Second

	// clockSkew is by how much the clock of a node may be behind that withdraws
	// nothing. It is less than what a sweep waits.
	clockSkew = 10 * time.Minute
)

// OpenKeys returns the key set that db keeps, and makes its first key where
// there is none. An issuer with it follows the keys that any node adds or ends,
// as long as [Issuer.Run] runs: see [Issuer.Rotate].
func OpenKeys(ctx context.Context, db store.SigningKeys, cfg StoredKeysConfig) (*KeySet, error) {
	cfg.Set, cfg.Alg, cfg.MaxTTL = cmp.Or(cfg.Set, "authtier"), cmp.Or(cfg.Alg, "ES256"), cmp.Or(cfg.MaxTTL, 24*time.Hour)
	s := &storedKeys{db: db, cfg: cfg, asking: make(chan struct{}, 1)}
	var errs []error
	if db == nil {
		errs = append(errs, errors.New("no store"))
	}
	if cfg.MaxTTL < time.Second || cfg.MaxTTL > middleware.MaxLifetime {
		errs = append(errs, fmt.Errorf("MaxTTL is %v, expected 1s to %v", cfg.MaxTTL, middleware.MaxLifetime))
	}
	if !slices.Contains(generated, cfg.Alg) {
		errs = append(errs, fmt.Errorf("algorithm %q, expected one of %v", cfg.Alg, generated))
	}
	var err error
	if s.sealer, err = newSealer(cfg.Seal); err != nil {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("issuer: OpenKeys: %w", err)
	}
	ks := &KeySet{stored: s}
	if err := errors.Join(ks.reload(ctx), s.unopened()); err != nil {
		return nil, fmt.Errorf("issuer: OpenKeys: %w", err)
	}
	if ks.now.Load() != nil {
		return ks, nil
	}
	now := time.Now()
	first, err := s.make(now, now)
	if err == nil {
		err = db.PutSigningKeys(ctx, first)
	}
	if err != nil {
		return nil, fmt.Errorf("issuer: OpenKeys: %w", err)
	}
	if err := ks.reload(ctx); err != nil {
		return nil, fmt.Errorf("issuer: OpenKeys: %w", err)
	}
	if err := s.unopened(); err != nil { // others began at the same time, who cannot open this key
		first.Ends = now.Add(-clockSkew)
		return nil, fmt.Errorf("issuer: OpenKeys: %w", errors.Join(err, db.PutSigningKeys(ctx, first)))
	}
	return ks, nil
}

// make makes a key that signs from then on; not yet, if zero.
func (s *storedKeys) make(published, signs time.Time) (store.SigningKey, error) {
	k, err := GenerateKey(s.cfg.Alg)
	if err != nil {
		return store.SigningKey{}, err
	}
	if k.ID == "" {
		pub, err := k.public()
		if err != nil {
			return store.SigningKey{}, err
		}
		j, _ := newJWK(k.Alg, pub)
		k.ID = j.thumbprint()
	}
	r := store.SigningKey{Set: s.cfg.Set, ID: k.ID, Alg: k.Alg, Published: published, Signs: signs}
	r.Sealed, err = s.sealer.seal(r, k.Private)
	return r, err
}

// reload reads the keys. Without any, the set stays as it is: a store that lost
// them does not make tokens of this node forgeries.
func (ks *KeySet) reload(ctx context.Context) error {
	s := ks.stored
	s.mu.Lock()
	defer s.mu.Unlock()
	records, err := s.db.SigningKeys(ctx, s.cfg.Set)
	if err != nil {
		return fmt.Errorf("reading the signing keys: %w", err)
	}
	now := time.Now()
	var signing []SigningKey
	s.records, signing, s.foreign = s.open(slices.DeleteFunc(records, func(r store.SigningKey) bool { return ended(r, now) }))
	return ks.build(s.records, signing)
}

// open decrypts records. Those that do not open are left out: one that a node with
// another seal has made must not keep withdrawn keys in use, nor be waited for.
func (s *storedKeys) open(records []store.SigningKey) (opened []store.SigningKey, keys []SigningKey, foreign error) {
	for _, r := range records {
		private, err := s.sealer.open(r)
		if err != nil {
			foreign = errors.Join(foreign, err)
			continue
		}
		opened, keys = append(opened, r), append(keys, SigningKey{ID: r.ID, Alg: r.Alg, Private: private})
	}
	return opened, keys, foreign
}

// unopened returns why records that were read last are left out, or nil.
func (s *storedKeys) unopened() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.foreign
}

var errNoSigner = errors.New("the store has no key that signs any more")

// build uses the keys of the records, none of which has ended, from now on.
func (ks *KeySet) build(records []store.SigningKey, signing []SigningKey) error {
	signer := signerOf(records)
	if signer < 0 {
		if ks.now.Load() != nil {
			return errNoSigner
		}
		return nil
	}
	signing[0], signing[signer] = signing[signer], signing[0]
	k, err := newKeys(signing)
	if err != nil {
		return err
	}
	ks.now.Store(k)
	return nil
}

func ended(r store.SigningKey, now time.Time) bool { return !r.Ends.IsZero() && !r.Ends.After(now) }

// signerOf returns the index of the key that signs: the one that began last. All
// nodes choose alike.
func signerOf(rs []store.SigningKey) int {
	signer := -1
	for i, r := range rs {
		if !r.Signs.IsZero() && (signer < 0 || !r.Signs.Before(rs[signer].Signs)) {
			signer = i
		}
	}
	return signer
}

// unknown looks for a key that was added a moment ago.
func (ks *KeySet) unknown(ctx context.Context, kid, alg string) (crypto.PublicKey, error) {
	if err := ks.stored.ask(ctx, ks.reload); err != nil {
		return nil, fmt.Errorf("issuer: %w", err)
	}
	return ks.now.Load().public.Key(ctx, kid, alg)
}

// ask reads the store, unless it was read a moment ago, and returns what came of
// it: who does not know whether there is such a key must not deny it. Others may
// wait for it, so that it does not end with its request.
func (s *storedKeys) ask(ctx context.Context, read func(context.Context) error) error {
	select {
	case s.asking <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-s.asking }()
	if time.Since(s.asked) >= askAgain {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pollTimeout)
		defer cancel()
		s.failed = read(ctx)
		s.asked = time.Now()
	}
	return s.failed
}
