package middleware

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/authtier/authtier/errorsx"
)

// CacheConfig configures a [Cache]. The zero value is ready to use.
type CacheConfig struct {
	// TTL is how long an identity is remembered at most; it never outlives its
	// own expiry. If 0, it is five minutes. It must be set if no [Source] tells the
	// cache of revocations, see [NewCache]. At most a day.
	TTL time.Duration

	// AllowStale goes on answering when a source has not been heard from for too
	// long. Credentials revoked in that time stay admitted until TTL. A token that the
	// validator judges without asking anybody stays admitted until it expires, unless
	// the validator refuses it: an issuer does, if it has no such setting of its own.
	AllowStale bool
}

const (
	shardBits      = 4
	cacheShards    = 1 << shardBits
	maxCached      = 2 << 10 // bytes of a credential
	refusalTTL     = 2 * time.Second
	flightTimeout  = 2 * time.Second
	maxFlights     = 256
	maxChecksQueue = 1024
	recency        = 10 * time.Millisecond // how exactly the order of use is kept
	defaultTTL     = 5 * time.Minute
	minTTL         = time.Millisecond
	maxTTL         = 24 * time.Hour
)

// A Cache remembers what a [Validator] said. It holds facts about credentials
// and no verdict about a route: expiry is looked at on every hit, and scopes,
// audiences and clients by the wrappers.
//
// Nothing that could be replayed stays in memory: secrets, passwords and opaque
// tokens are kept as SHA-256, and so is the signature of a JWT; its header and
// payload, which are worthless without it, are compared as they are, and so is
// what a generated secret begins with. Credentials over 2 KiB are not remembered;
// an entry takes what the credential takes, what the validator's strings take, and
// some 450 bytes. Refusals are remembered apart, for two seconds, so that junk
// evicts nothing good; failures are not.
//
// Of many requests that miss with one credential, a single one asks the validator,
// under a deadline of its own. See [Local] for credentials that need no question.
//
// After Forget, a credential is refused or validated again, even if a validation was
// under way. A validator that wraps a [Source] must have a
// method Unwrap, see [Validator]; otherwise the cache does not hear of revocations.
// Its methods may be called concurrently.
type Cache struct {
	validator Validator
	local     Local
	ttl       time.Duration
	stale     bool
	seed      uint64    // odd
	start     time.Time // what entries count their times from, on the monotonic clock

	shards [cacheShards]cacheShard
	ring   ring
	fresh  atomic.Pointer[limit] // nil: for ever
	feeds  feeds

	flying   chan struct{} // a place for each flight
	checking chan struct{} // a place for each local validation
	queued   atomic.Int64  // those that wait for one
}

type cacheShard struct {
	mu       sync.Mutex
	good     *simplelru.LRU[uint64, *entry] // by the short form of their keys
	bad      *simplelru.LRU[uint64, *refusal]
	inFlight map[cacheKey]*flight
	stats    Stats
	_        [64]byte // shards do not share cache lines
}

// Stats are numbers since the cache was made.
type Stats struct {
	Hits      uint64 // identities that were remembered
	Misses    uint64 // credentials that were not
	Refusals  uint64 // refusals that were remembered
	Evictions uint64 // identities that made room for others
	Flights   uint64 // questions to a validator that is not [Local]
}

// Local is an optional ability of a [Validator]: to say which credentials it
// judges by computing alone. A [Cache] limits how many of these are judged at
// once, so that junk with fresh signatures leaves the cores to what is
// remembered, and lets the rest be asked for in flights.
type Local interface {
	Local(c Credential) bool
}

// NewCache returns a cache of size identities around v, rounded up to a multiple
// of 16, and of an eighth as many refusals. It subscribes, for the rest of the
// process, to every [Source] among v and the validators that v wraps, and answers
// only while all of them are fresh.
//
// If one of them is neither a Source nor inside of one, nothing tells the cache that
// its credentials were revoked, and TTL must say how long they may stay admitted. The
// same holds for a [PartialSource].
//
// It returns an error for a nil validator, a size that is not positive, a TTL that
// is missing or out of range, and a throttle among the validators.
func NewCache(v Validator, size int, cfg *CacheConfig) (*Cache, error) {
	if cfg == nil {
		cfg = &CacheConfig{}
	}
	all, err := chain(v)
	sources := sources(all)
	if err == nil {
		err = cfg.check(all)
	}
	if err = errors.Join(err, checkSize(size)); err != nil {
		return nil, fmt.Errorf("middleware: NewCache: %w", err)
	}

	c := &Cache{
		validator: v, ttl: cfg.TTL, stale: cfg.AllowStale, start: time.Now(), seed: rand.Uint64() | 1,
		flying:   make(chan struct{}, maxFlights),
		checking: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1)),
	}
	if c.ttl == 0 {
		c.ttl = defaultTTL
	}
	c.local, _ = v.(Local)
	perShard := (size + cacheShards - 1) / cacheShards
	for i := range c.shards {
		s := &c.shards[i]
		s.good, _ = simplelru.NewLRU[uint64, *entry](perShard, nil) // fails for a size of 0 alone
		s.bad, _ = simplelru.NewLRU[uint64, *refusal](perShard/8+8, nil)
		s.inFlight = map[cacheKey]*flight{}
	}
	c.subscribe(sources)
	return c, nil
}

func (cfg *CacheConfig) check(all []Validator) error {
	var errs []error
	if slices.ContainsFunc(all, func(v Validator) bool { _, ok := v.(*Cache); return ok }) {
		errs = append(errs, errors.New("the validator already contains a Cache"))
	}
	if slices.ContainsFunc(all, func(v Validator) bool { _, ok := v.(throttled); return ok }) {
		errs = append(errs, errors.New("a throttle inside of the cache, expected it around the cache: it does not hear of attempts that the cache answers"))
	}
	if cfg.TTL < 0 || cfg.TTL > maxTTL || cfg.TTL > 0 && cfg.TTL < minTTL {
		errs = append(errs, fmt.Errorf("TTL is %v, expected %v to %v: a number without a unit is nanoseconds", cfg.TTL, minTTL, maxTTL))
	}
	if silent := silentIn(all[0]); cfg.TTL == 0 && silent != nil {
		errs = append(errs, fmt.Errorf("no TTL, and a %T that tells nobody of revocations: set TTL to how long a revoked credential may stay admitted; "+
			"if it wraps a validator that does tell, give it a method Unwrap, or use Around", silent))
	}
	if partial := slices.IndexFunc(all, isPartial); cfg.TTL == 0 && partial >= 0 {
		errs = append(errs, fmt.Errorf("no TTL, and a %T that does not hear of all changes, such as those of a users table of one's own: "+
			"set TTL to how long a credential may stay admitted after a change", all[partial]))
	}
	return errors.Join(errs...)
}

func checkSize(size int) error {
	if size <= 0 || size > 1<<30 {
		return fmt.Errorf("size is %d, expected a number of entries", size)
	}
	return nil
}

// Validate implements [Validator]. The identity is shared: copy it to change it.
func (c *Cache) Validate(ctx context.Context, cred Credential) (*Identity, error) {
	var k cacheKey
	k.set(cred.Scheme, cred.Username, cred.Secret)
	e, err := c.hit(&k, cred.Now())
	cred.observed(e != nil || isRefusal(err))
	switch {
	case e != nil:
		return &e.identity, nil
	case err != nil:
		return nil, err
	}
	return c.miss(ctx, k, cred)
}

// shard returns the shard of a key. The assignment of keys to shards is secret.
func (c *Cache) shard(k *cacheKey) *cacheShard {
	return &c.shards[k.short()*c.seed>>(64-shardBits)]
}

// hit returns what is remembered of a credential: an entry, a refusal, or
// neither. Where the source has not been heard of for too long, it is AUTH-8.
func (c *Cache) hit(k *cacheKey, now time.Time) (*entry, error) {
	if fresh := c.fresh.Load(); fresh != nil && !c.stale && fresh.past(now) {
		return nil, &errorsx.Error{
			Code: errorsx.Internal, Err: errors.New("middleware: Cache: revocations have not been heard of for too long"),
		}
	}
	s, at := c.shard(k), now.Sub(c.start)
	s.mu.Lock()
	if e, ok := s.good.Peek(k.short()); ok && e.key == *k {
		if at < e.until && e.identity.live(now) && (e.number == c.ring.count.Load() || c.catchUp(e)) {
			s.stats.Hits++
			if tick := uint32(at / recency); tick != e.used {
				s.good.Get(k.short())
				e.used = tick
			}
			s.mu.Unlock()
			return e, nil
		}
		s.good.Remove(k.short())
	}
	if r, ok := s.bad.Get(k.short()); ok && r.key == *k && now.Before(r.until) {
		s.stats.Refusals++
		s.mu.Unlock()
		return nil, r.err
	}
	s.stats.Misses++
	s.mu.Unlock()
	return nil, nil
}

// catchUp reports whether e is still valid after the revocations since it was
// stored. The shard is locked.
func (c *Cache) catchUp(e *entry) bool {
	upTo, holds := c.ring.since(e.number, &e.identity)
	if holds {
		e.number = upTo
	}
	return holds
}

// miss asks the validator. An answer that a revocation has overtaken is asked
// for again.
func (c *Cache) miss(ctx context.Context, k cacheKey, cred Credential) (*Identity, error) {
	for range 3 {
		id, number, err := c.ask(ctx, k, cred)
		if err != nil {
			return nil, err
		}
		if _, holds := c.ring.since(number, id); holds {
			return id.unexpired(cred.Now()) // a flight may have taken off earlier
		}
	}
	return nil, &errorsx.Error{Code: errorsx.Internal, Err: errors.New("middleware: Cache: the identity is revoked again and again")}
}

// validate asks the validator and remembers its answer; a refusal only where it
// cost something.
func (c *Cache) validate(ctx context.Context, k cacheKey, cred Credential, refusals bool) (id *Identity, number uint64, err error) {
	number = c.ring.count.Load()
	asked := cred.Now() // the request's time: if the validation had to wait, the entry expires earlier
	id, err = ask(ctx, c.validator, cred)
	if err == nil {
		id = id.provenBy(methodOf(cred.Scheme))
	}
	switch {
	case ctx.Err() != nil, len(cred.Secret)+len(cred.Username) > maxCached:
		return id, number, err // too late or too large to be remembered
	case err != nil:
		if refusals {
			c.rememberRefusal(k, asked, err)
		}
		return nil, number, err
	}
	return c.remember(k, cred, asked, id, number), number, nil
}

// Forget drops what the revocations are about. When it returns, no identity that
// was validated before is answered any more.
func (c *Cache) Forget(rs ...Revocation) {
	c.ring.add(rs)
	for _, r := range rs {
		switch r.Kind {
		case KindEverything:
			c.purge(true)
		case KindSigningKey: // it may be a new one, which made a token unknown
			c.purge(false)
		}
	}
}

// purge drops all refusals, and with good all identities.
func (c *Cache) purge(good bool) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		if good {
			s.good.Purge()
		}
		s.bad.Purge()
		s.mu.Unlock()
	}
}

// Unwrap returns the validator that the cache is around.
func (c *Cache) Unwrap() Validator { return c.validator }

// Stats returns the cache's numbers.
func (c *Cache) Stats() Stats {
	var sum Stats
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		sum.Hits += s.stats.Hits
		sum.Misses += s.stats.Misses
		sum.Refusals += s.stats.Refusals
		sum.Evictions += s.stats.Evictions
		sum.Flights += s.stats.Flights
		s.mu.Unlock()
	}
	return sum
}
