package keyring

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

// stored are the keys of a set that several nodes share.
type stored struct {
	db     store.SigningKeys
	set    string // its name
	alg    string // of new keys
	maxTTL time.Duration
	sealer sealer

	mu      sync.Mutex // one reader at a time
	records []store.SigningKey
	foreign error // why other records could not be decrypted

	looking chan struct{} // holds one element while a call of look runs
	looked  time.Time     // when an unknown kid last caused a read
	failed  error         // error of that read
}

const (
	// publishedBefore is how long a key is published before it signs. By then every
	// cache of the key set has read it again, and so has every node.
	publishedBefore = PublicAge + 30*time.Second

	// replacedSigns is how long a node may go on signing with a key that was replaced.
	replacedSigns = time.Minute

	// lookAgain is the shortest time between two reads of the store that unknown kids
	// cause. Sending an unknown kid costs an attacker nothing.
	lookAgain = time.Second

	// lookTimeout bounds such a read.
	lookTimeout = 2 * time.Second

	// clockSkew is how far the end of a revoked key is put into the past, so that it
	// has ended for nodes whose clock is behind. It is less than a sweep waits.
	clockSkew = 10 * time.Minute
)

// Config says where stored keys are and how they are encrypted. One of File, Variable and
// EncryptionKey must be set.
type Config struct {
	Set    string        // name of the set in the store
	Alg    string        // of new keys, one of Algs
	MaxTTL time.Duration // the longest lifetime of a token

	File          string // holds the encryption key in base64, and is created for a set without live keys
	AllowReadable bool   // others may read File
	Variable      string // environment variable with the same content
	EncryptionKey []byte
}

// Open returns the ring of keys that db stores, and makes its first key if there is
// none. It returns an error if the encryption key does not decrypt all of them.
func Open(ctx context.Context, db store.SigningKeys, cfg Config) (*Ring, error) {
	s := &stored{db: db, set: cfg.Set, alg: cfg.Alg, maxTTL: cfg.MaxTTL, looking: make(chan struct{}, 1)}
	records, err := db.SigningKeys(ctx, s.set)
	if err != nil {
		return nil, fmt.Errorf("reading the signing keys: %w", err)
	}

	// Keys that have ended are never decrypted, so they need no key of their own.
	now := time.Now()
	isNew := !slices.ContainsFunc(records, func(r store.SigningKey) bool { return !r.Ended(now) })
	key, err := cfg.encryptionKey(isNew)
	if err != nil {
		return nil, err
	}
	if s.sealer, err = newSealer(key); err != nil {
		return nil, err
	}

	ring := &Ring{stored: s}
	// A node with another encryption key than the others must not start.
	if err := errors.Join(ring.Reload(ctx), s.unopened()); err != nil {
		return nil, err
	}

	if ring.now.Load() != nil {
		return ring, nil
	}
	return ring, ring.makeFirst(ctx)
}

// makeFirst makes the first key of a set. It signs at once.
func (ring *Ring) makeFirst(ctx context.Context) error {
	s, now := ring.stored, time.Now()
	first, err := s.make(now, now)
	if err == nil {
		err = s.db.PutSigningKeys(ctx, first)
	}
	if err == nil {
		err = ring.Reload(ctx)
	}
	if err != nil {
		return err
	}

	// Nodes with another encryption key may have started at the same time. They cannot
	// decrypt this key, so it is ended again.
	if err := s.unopened(); err != nil {
		first.Ends = now.Add(-clockSkew)
		return errors.Join(err, s.db.PutSigningKeys(ctx, first))
	}
	return nil
}

// make makes a key that signs from the given time on. If signs is zero, it does not
// sign yet.
func (s *stored) make(published, signs time.Time) (store.SigningKey, error) {
	k, err := Generate(s.alg)
	if err != nil {
		return store.SigningKey{}, err
	}

	// The record needs an ID. Generate gives one to symmetric keys only.
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

// Reload reads the keys. If the store has none, the set stays as it is: the tokens of
// this node are genuine even if the store has lost the keys. Keys that have ended are taken
// out of use in any case.
func (ring *Ring) Reload(ctx context.Context) error {
	s := ring.stored
	s.mu.Lock()
	defer s.mu.Unlock()
	records, err := s.db.SigningKeys(ctx, s.set)
	if err != nil {
		return fmt.Errorf("reading the signing keys: %w", err)
	}

	now := time.Now()
	var ended []string
	records = slices.DeleteFunc(records, func(r store.SigningKey) bool {
		if r.Ended(now) {
			ended = append(ended, r.ID)
		}
		return r.Ended(now)
	})

	var signing []Key
	s.records, signing, s.foreign = s.open(records)
	err = ring.build(s.records, signing)
	if errors.Is(err, ErrNoSigner) && len(ended) > 0 {
		err = errors.Join(err, ring.retire(ended))
	}
	return err
}

// open decrypts records. It leaves out those that it cannot decrypt. A record that a
// node with another encryption key made must not keep revoked keys in use, and must not
// delay a rotation.
func (s *stored) open(records []store.SigningKey) (opened []store.SigningKey, keys []Key, foreign error) {
	for _, r := range records {
		private, err := s.sealer.open(r)
		if err != nil {
			foreign = errors.Join(foreign, err)
			continue
		}
		opened, keys = append(opened, r), append(keys, Key{ID: r.ID, Alg: r.Alg, Private: private})
	}
	return opened, keys, foreign
}

// Unopened returns why records of the last read are left out, or nil if none are.
func (ring *Ring) Unopened() error { return ring.stored.unopened() }

// unopened returns why records of the last read are left out, or nil if none are.
func (s *stored) unopened() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.foreign
}

// ErrNoSigner means that the keys which were read before stay in use, except for those that
// the store says have ended.
var ErrNoSigner = errors.New("the store has no key that signs any more")

// build puts the keys of the records to use. None of the records may have ended.
func (ring *Ring) build(records []store.SigningKey, signing []Key) error {
	signer := signerOf(records)
	if signer < 0 {
		if ring.now.Load() != nil {
			return ErrNoSigner
		}
		return nil
	}

	// newKeys takes the first key as the one that signs.
	signing[0], signing[signer] = signing[signer], signing[0]
	k, err := newKeys(signing)
	if err != nil {
		return err
	}
	ring.now.Store(k)
	return nil
}

// signerOf returns the index of the key that signs, or -1. It is the key that began
// last, so that all nodes choose the same.
func signerOf(rs []store.SigningKey) int {
	signer := -1
	for i, r := range rs {
		if !r.Signs.IsZero() && (signer < 0 || !r.Signs.Before(rs[signer].Signs)) {
			signer = i
		}
	}
	return signer
}

// unknown looks for a key that may have been added a moment ago.
func (ring *Ring) unknown(ctx context.Context, kid, alg string) (crypto.PublicKey, error) {
	if err := ring.stored.look(ctx, ring.Reload); err != nil {
		return nil, fmt.Errorf("issuer: %w", err)
	}
	return ring.now.Load().public.Key(ctx, kid, alg)
}

// look reads the store, unless that happened a moment ago, and returns the error of the
// last read. After a failed read, a node must not deny that a key exists. The read goes
// on when ctx ends, because other requests may wait for it.
func (s *stored) look(ctx context.Context, read func(context.Context) error) error {
	select {
	case s.looking <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-s.looking }()

	// Requests that waited for another read use its result.
	if time.Since(s.looked) >= lookAgain {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTimeout)
		defer cancel()
		s.failed = read(ctx)
		s.looked = time.Now()
	}
	return s.failed
}
