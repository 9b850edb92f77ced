package issuer

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/authtier/authtier/store"
)

// storedKeys are the keys of a set that several nodes share.
type storedKeys struct {
	db     store.SigningKeys
	set    string // its name
	alg    string // of new keys
	maxTTL time.Duration
	sealer sealer

	mu      sync.Mutex // one reader at a time
	records []store.SigningKey
	foreign error // of records beside them that do not open

	looking chan struct{} // has room for who reads, or looks at what came of it
	looked  time.Time     // when an unknown key last made us read
	failed  error         // what came of it
}

const (
	// publishedBefore is how long a key is published before it signs: whoever
	// keeps the key set has read it again by then, and so has every node.
	publishedBefore = publicAge + 30*time.Second

	// replacedSigns is how long a node may go on signing with a key that was
	// replaced.
	replacedSigns = time.Minute

	// lookAgain is how often an unknown kid, which costs its sender nothing, makes
	// us read the store.
	lookAgain = time.Second

	// clockSkew is by how much the clock of a node may be behind that revokes
	// nothing. It is less than what a sweep waits.
	clockSkew = 10 * time.Minute
)

// openKeys returns the key set that db keeps, and makes its first key where there is
// none. cfg has been checked.
func openKeys(ctx context.Context, db store.SigningKeys, cfg *Config) (*KeySet, error) {
	s := &storedKeys{
		db: db, set: cfg.KeySetName, alg: cfg.SigningAlg, maxTTL: cfg.MaxTTL, looking: make(chan struct{}, 1),
	}
	records, err := db.SigningKeys(ctx, s.set)
	if err != nil {
		return nil, fmt.Errorf("reading the signing keys: %w", err)
	}
	key, err := cfg.encryptionKey(len(records) == 0)
	if err != nil {
		return nil, err
	}
	if s.sealer, err = newSealer(key); err != nil {
		return nil, err
	}

	ks := &KeySet{stored: s}
	if err := errors.Join(ks.reload(ctx), s.unopened()); err != nil {
		return nil, err
	}
	if ks.now.Load() != nil {
		return ks, nil
	}
	return ks, ks.makeFirst(ctx)
}

// makeFirst makes the first key of a set, which signs at once.
func (ks *KeySet) makeFirst(ctx context.Context) error {
	s, now := ks.stored, time.Now()
	first, err := s.make(now, now)
	if err == nil {
		err = s.db.PutSigningKeys(ctx, first)
	}
	if err == nil {
		err = ks.reload(ctx)
	}
	if err != nil {
		return err
	}

	// Others may have begun at the same time, who cannot open this key.
	if err := s.unopened(); err != nil {
		first.Ends = now.Add(-clockSkew)
		return errors.Join(err, s.db.PutSigningKeys(ctx, first))
	}
	return nil
}

// make makes a key that signs from then on; not yet, if zero.
func (s *storedKeys) make(published, signs time.Time) (store.SigningKey, error) {
	k, err := GenerateKey(s.alg)
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
	r := store.SigningKey{Set: s.set, ID: k.ID, Alg: k.Alg, Published: published, Signs: signs}
	r.Sealed, err = s.sealer.seal(r, k.Private)
	return r, err
}

// reload reads the keys. Without any, the set stays as it is: a store that lost
// them does not make tokens of this node forgeries.
func (ks *KeySet) reload(ctx context.Context) error {
	s := ks.stored
	s.mu.Lock()
	defer s.mu.Unlock()
	records, err := s.db.SigningKeys(ctx, s.set)
	if err != nil {
		return fmt.Errorf("reading the signing keys: %w", err)
	}
	now := time.Now()
	var signing []SigningKey
	s.records, signing, s.foreign = s.open(slices.DeleteFunc(records, func(r store.SigningKey) bool { return ended(r, now) }))
	return ks.build(s.records, signing)
}

// open decrypts records. Those that do not open are left out: one that a node with
// another seal has made must not keep revoked keys in use, nor be waited for.
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
	if err := ks.stored.look(ctx, ks.reload); err != nil {
		return nil, fmt.Errorf("issuer: %w", err)
	}
	return ks.now.Load().public.Key(ctx, kid, alg)
}

// look reads the store, unless it was read a moment ago, and returns what came of
// it: a node that does not know whether there is such a key must not deny it. Others
// may wait for the reading, so that it does not end with its request.
func (s *storedKeys) look(ctx context.Context, read func(context.Context) error) error {
	select {
	case s.looking <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-s.looking }()

	if time.Since(s.looked) >= lookAgain {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pollTimeout)
		defer cancel()
		s.failed = read(ctx)
		s.looked = time.Now()
	}
	return s.failed
}
