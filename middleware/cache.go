package middleware

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware/internal/deadline"
)

// CacheConfig configures a [Cache]. The zero value is ready to use.
type CacheConfig struct {
	// TTL is the longest time for which an identity is remembered, from 1 ms to 24
	// hours. An identity is never used after it has expired, even within TTL. If 0,
	// TTL is five minutes. It must be set if no [Source] notifies the cache of
	// revocations, see [NewCache].
	TTL time.Duration

	// AllowStale makes the cache answer even if a source has not reported for too
	// long. Credentials revoked in that time stay admitted until TTL. A token that
	// the validator can judge without asking another service stays admitted until it
	// expires, unless the validator refuses it. An issuer does so, unless it has its
	// own setting that allows such tokens.
	AllowStale bool
}

const (
	shardBits     = 4
	cacheShards   = 1 << shardBits
	maxCached     = 8 << 10       // bytes of a credential
	textPerEntry  = 2 << 10       // bytes of text that are kept for each entry, on average
	minText       = 4 * maxCached // bytes of text that a shard keeps at least, so that any credential fits
	refusalTTL    = 2 * time.Second
	flightTimeout = 2 * time.Second
	maxFlights    = 256
	recency       = 10 * time.Millisecond // how exactly the order of use is kept
	defaultTTL    = 5 * time.Minute
	minTTL        = time.Millisecond
	maxTTL        = 24 * time.Hour
)

// A Cache remembers the results of a [Validator]. It holds facts about credentials,
// not decisions about routes. It checks the expiry on every hit; the wrappers check
// scopes, audiences and clients.
//
// A Cache keeps nothing in memory that could be replayed. It stores only the SHA-256
// of secrets, passwords, opaque tokens and of a JWT's signature. A JWT's header and
// payload are worthless without the signature, and so is the public prefix of a
// generated secret; these are stored as text. Credentials over 8 KiB are not
// remembered. A remembered token takes some 500 bytes besides that text.
//
// Refusals are remembered for two seconds, in a separate list, so that junk does not
// evict identities. Failures of the server, AUTH-13, and refusals that took no work
// to find out are not remembered.
//
// If several requests miss with the same credential at the same time, one call of the
// validator serves them all. That call has its own deadline. See [OfflineValidator] for
// credentials that need no such call.
//
// After Forget returns, a forgotten credential is validated again before it is
// admitted, even if a validation was under way. A validator that wraps a [Source]
// must have an Unwrap method, see [Validator]; otherwise the cache does not learn of
// revocations. A Cache is safe for concurrent use.
type Cache struct {
	validator Validator
	local     OfflineValidator
	ttl       time.Duration
	stale     bool
	seed      uint64    // odd
	start     time.Time // entries store their times as durations since start, by the monotonic clock

	shards [cacheShards]cacheShard
	ring   ring
	fresh  atomic.Pointer[deadline.Deadline] // nil: no source, so the cache is always fresh
	feeds  feeds

	flying chan struct{} // holds an element for each flight
	checks *checks
}

type cacheShard struct {
	mu       sync.Mutex
	good     lru[entry, *entry] // by the short form of their keys
	bad      lru[refusal, *refusal]
	inFlight map[cacheKey]*flight
	stats    CacheStats
	_        [64]byte // padding, so that shards share no cache line
}

// CacheStats are counters since the cache was made.
type CacheStats struct {
	Hits      uint64 // lookups that found an identity
	Misses    uint64 // lookups that found nothing
	Refusals  uint64 // lookups that found a refusal
	Evictions uint64 // identities dropped to make room for others
	Flights   uint64 // calls of the validator that requests with one credential share
}

// NewCache returns a cache around v for size identities, rounded up to a multiple of
// 16. It also remembers about size/8 + 128 refusals. For each of them it has room for 2
// KiB of text on average, that is the stored text and the strings of the identity, and
// for at least 512 KiB in all. It remembers fewer credentials if they are larger than
// that on average.
//
// The cache subscribes, for the rest of the process, to every [Source] among v and the
// validators that v wraps. It answers only while all of them are fresh.
//
// If v is or wraps a validator that is neither a Source nor inside of one, nothing
// notifies the cache of revocations. TTL must then be set to the time for which a
// revoked credential may stay admitted. The same holds for a [PartialSource].
//
// NewCache returns an error that names every fault: if v or a validator inside is nil,
// a Cache, a throttle or an empty [ByScheme], if size is not between 1 and 2^30, and if
// TTL is missing or out of range. cfg may be nil.
func NewCache(v Validator, size int, cfg *CacheConfig) (*Cache, error) {
	if cfg == nil {
		cfg = &CacheConfig{}
	}
	all, err := chain(v)
	sources := sources(all)
	if err == nil {
		err = cfg.checkChain(all)
	}
	if err = errors.Join(err, cfg.check(), checkSize(size)); err != nil {
		return nil, fmt.Errorf("middleware: NewCache: %w", err)
	}

	c := &Cache{
		validator: v, ttl: cfg.TTL, stale: cfg.AllowStale, start: time.Now(), seed: rand.Uint64() | 1,
		flying: make(chan struct{}, maxFlights), checks: newChecks(),
	}

	if c.ttl == 0 {
		c.ttl = defaultTTL
	}
	c.local, _ = v.(OfflineValidator)

	perShard := (size + cacheShards - 1) / cacheShards
	for i := range c.shards {
		s := &c.shards[i]
		s.good.init(perShard, max(perShard*textPerEntry, minText))
		refusals := perShard/8 + 8
		s.bad.init(refusals, refusals*textPerEntry)
		s.inFlight = map[cacheKey]*flight{}
	}

	c.subscribe(sources)
	return c, nil
}

func (cfg *CacheConfig) check() error {
	if cfg.TTL < 0 || cfg.TTL > maxTTL || cfg.TTL > 0 && cfg.TTL < minTTL {
		return fmt.Errorf("TTL is %v, expected %v to %v: a number without a unit is nanoseconds", cfg.TTL, minTTL, maxTTL)
	}
	return nil
}

// checkChain returns an error if the cache cannot be around these validators.
func (cfg *CacheConfig) checkChain(all []Validator) error {
	var errs []error
	if slices.ContainsFunc(all, func(v Validator) bool { _, ok := v.(*Cache); return ok }) {
		errs = append(errs, errors.New("the validator already contains a Cache"))
	}
	if slices.ContainsFunc(all, isThrottle) {
		errs = append(errs, errors.New("a throttle inside of the cache, expected it around the cache: it does not hear of attempts that the cache answers"))
	}

	if silent := silentIn(all[0]); cfg.TTL == 0 && silent != nil {
		errs = append(errs, fmt.Errorf("no TTL, and a %T that does not report revocations: set TTL to how long a revoked credential may stay admitted; "+
			"if it wraps a validator that does, give it a method Unwrap, or use Around", silent))
	}
	if partial := slices.IndexFunc(all, isPartial); cfg.TTL == 0 && partial >= 0 {
		errs = append(errs, fmt.Errorf("no TTL, and a %T that does not hear of all changes, such as those of the program's own users table: "+
			"set TTL to how long a credential may stay admitted after a change", all[partial]))
	}
	return errors.Join(errs...)
}

func checkSize(size int) error {
	if size <= 0 || size > 1<<30 {
		return fmt.Errorf("size is %d, expected a number of entries up to 2^30", size)
	}
	return nil
}

// Validate implements [Validator]. The identity is shared: callers must not change it
// and may change a copy.
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

// shard returns the shard of a key. The seed is secret, so that clients cannot choose
// credentials that all fall into one shard.
func (c *Cache) shard(k *cacheKey) *cacheShard {
	return &c.shards[k.short()*c.seed>>(64-shardBits)]
}

// hit returns the entry or the refusal that is remembered for a credential, or
// neither. It returns AUTH-8 if a source has not reported for too long.
func (c *Cache) hit(k *cacheKey, now time.Time) (*entry, error) {
	if fresh := c.fresh.Load(); fresh != nil && !c.stale && fresh.Passed(now) {
		return nil, &errorsx.Error{
			Code: errorsx.Internal, Err: errors.New("middleware: Cache: revocations have not been heard of for too long"),
		}
	}

	s, at := c.shard(k), now.Sub(c.start)
	s.mu.Lock()
	// The places are found by a short number, so the full keys must be compared.
	if e := s.good.get(k.short()); e != nil && e.key == *k {
		if at < e.until && e.identity.live(now) && (e.number == c.ring.count.Load() || c.catchUp(e)) {
			s.stats.Hits++
			// Moving an entry to the front of the list on every hit would cost more
			// than the exact order is worth.
			if tick := uint32(at / recency); tick != e.used {
				s.good.use(e)
				e.used = tick
			}
			s.mu.Unlock()
			return e, nil
		}
		s.good.remove(k.short())
	}

	if r := s.bad.get(k.short()); r != nil && r.key == *k && now.Before(r.until) {
		s.bad.use(r)
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

// A throttled is a validator of package throttle, which carries this mark.
type throttled interface {
	OutsideCache()
	Unwrap() Validator
}

func isThrottle(v Validator) bool {
	_, ok := v.(throttled)
	return ok
}

// Unwrap returns the validator inside of the cache.
func (c *Cache) Unwrap() Validator { return c.validator }

// Stats returns the cache's counters.
func (c *Cache) Stats() CacheStats {
	var sum CacheStats
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
