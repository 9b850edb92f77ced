// Package throttle limits the guessing of passwords and client secrets.
//
//	t, err := throttle.New(nil)
//	h := middleware.Basic(t.Around(passwords), nil)(mux)
//
// An issuer has a throttle of its own, unless its configuration names one. A program that
// checks the same passwords in other places shares one [Throttle] among all of them.
package throttle

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// Config configures a [Throttle]. The zero value is ready to use.
type Config struct {
	// Failures is the number of failures at one account from one address that cause no
	// block. They expire evenly, as many as Failures in each Window. If 0, Failures is 10
	// and Window is 15 minutes. Window must be at least a second.
	//
	// The next failure blocks the pair of account and address for a second. After that,
	// each failure after a block blocks the pair for twice as long as the last one, up
	// to a quarter of an hour. A pair is forgotten when all of its failures have
	// expired and its last block ended more than a Window ago. A correct credential
	// does not reset the count, because it may belong to another user of the same
	// address.
	Failures int
	Window   time.Duration

	// Canonical returns one spelling for all names that mean the same account. If
	// nil, letter case and outer blanks make no difference. It must be safe for
	// concurrent use.
	Canonical func(username string) string
}

// A Throttle slows down guessing of passwords and secrets. It counts only failures
// (AUTH-1), for each pair of account and address. An address is an IPv4 address or
// the first 64 bits of an IPv6 address. Clients cannot lock each other's accounts: a
// correct credential from an address that has not failed is always admitted. That
// needs the client's address: without one, as on a Unix socket without
// [middleware.Proxy], all clients share one address and can block each other's accounts.
//
// While a pair is blocked, all attempts are AUTH-13, even correct ones: otherwise the
// block would not stop the guessing. After a block, attempts are tried one at a time
// until the pair is forgotten, see [Config]. Many attempts at once therefore do not
// help.
//
// Share one throttle among all code that checks the same passwords: wrappers, through
// [Throttle.Around], the token endpoint and login. API keys and tokens are not
// throttled, because nobody can guess 256 bits.
//
// A Throttle remembers up to 32,768 pairs that have failed, and as many that were
// blocked. It drops the least recently tried ones first. If an address has failed
// with 256 accounts, all further accounts from it count as one, so that invented
// names do not evict other clients' failures. A Throttle takes at most 20 MiB. A nil
// *Throttle allows every attempt, but [Throttle.Around] of it panics. The zero value is
// ready to use, with the limits of the zero [Config]. A Throttle is safe for
// concurrent use.
type Throttle struct {
	once sync.Once // calls setUp, because the zero value is ready to use
	cfg  Config

	mu        sync.Mutex
	failing   *simplelru.LRU[pair, *failures] // pairs that were never blocked
	blocked   *simplelru.LRU[pair, *failures] // pairs that were blocked at least once; a separate list makes them harder to evict
	addresses map[netip.Addr]int              // number of pairs of each address
}

const (
	maxPairs      = 1 << 15 // in each of the two lists
	maxPerAddress = 256
	firstBlock    = time.Second
	longestBlock  = 15 * time.Minute
)

// A pair is the digest of an account and an address from which the account is tried.
type pair struct {
	account [16]byte
	address netip.Addr
}

// others is the account under which an address counts beyond maxPerAddress.
var others [16]byte

// New returns a throttle without failures. c may be nil. It returns an error
// that names every fault: if Failures or Window is negative, and if Window is less than
// a second and not 0.
func New(c *Config) (*Throttle, error) {
	var cfg Config
	if c != nil {
		cfg = *c
	}
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("throttle: New: %w", err)
	}
	t := &Throttle{cfg: cfg}
	t.once.Do(t.setUp)
	return t, nil
}

func (cfg *Config) check() error {
	var errs []error
	if cfg.Failures < 0 {
		errs = append(errs, fmt.Errorf("the number of Failures is %d, expected at least 1, or 0 for 10", cfg.Failures))
	}
	if cfg.Window != 0 && cfg.Window < time.Second {
		errs = append(errs, fmt.Errorf("the Window is %v, expected at least 1s, or 0 for 15m: a number without a unit is nanoseconds", cfg.Window))
	}
	return errors.Join(errs...)
}

// setUp sets defaults and makes the lists.
func (t *Throttle) setUp() {
	cfg := &t.cfg
	cfg.Failures = cmp.Or(cfg.Failures, 10)
	cfg.Window = cmp.Or(cfg.Window, 15*time.Minute)
	if cfg.Canonical == nil {
		cfg.Canonical = func(username string) string { return strings.ToLower(strings.TrimSpace(username)) }
	}

	t.addresses = map[netip.Addr]int{}
	// NewLRU fails only for a size of 0.
	t.failing, _ = simplelru.NewLRU(maxPairs, t.forgotten)
	t.blocked, _ = simplelru.NewLRU(maxPairs, t.forgotten)
}

// Begin returns an [Attempt] if the credential may be tried at c.Now. The account is
// c.Username and the address is c.From(). If the pair is blocked, Begin returns
// AUTH-13 with the time to wait. It returns AUTH-8 if c has neither a request nor an
// address. A nil Throttle returns a nil Attempt.
func (t *Throttle) Begin(c middleware.Credential) (*Attempt, error) {
	if t == nil {
		return nil, nil
	}
	address, carried := c.From()
	if !carried {
		return nil, errorsx.Fault(errors.New("throttle: a credential without a request or address: " +
			"pass on the one that the wrapper gives, or call WithRequest or WithAddr"))
	}

	t.once.Do(t.setUp)
	sum := sha256.Sum256([]byte(t.cfg.Canonical(c.Username)))
	a := &Attempt{throttle: t, pair: pair{[16]byte(sum[:16]), network(address)}}
	now := c.Now()

	t.mu.Lock()
	defer t.mu.Unlock()

	f, ok := t.blocked.Get(t.counted(a.pair, now))
	if !ok || f.over(now, t.cfg) {
		return a, nil
	}

	if wait := f.until.Sub(now); wait > 0 {
		return nil, tooMany(wait)
	}

	// Another attempt after the block is under way.
	if f.tried {
		return nil, tooMany(firstBlock)
	}

	f.tried, a.alone = true, f
	return a, nil
}

func tooMany(wait time.Duration) error {
	return &errorsx.Error{
		Code: errorsx.TooManyRequests, RetryAfter: wait,
		Message: "Too many failed attempts for this account from this address",
	}
}

// An Attempt is one use of a credential that a [Throttle] allowed. The methods of a
// nil Attempt do nothing.
type Attempt struct {
	throttle *Throttle
	pair     pair
	alone    *failures // set if it is the only attempt allowed after a block, or nil
}

// Blocked returns AUTH-13 if other attempts have blocked the pair since Begin.
// Callers that had to wait for their turn should call it before they check the
// credential.
func (a *Attempt) Blocked() error {
	if a == nil || a.alone != nil {
		return nil
	}

	t, now := a.throttle, time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if f, ok := t.blocked.Get(t.counted(a.pair, now)); ok && f.until.After(now) {
		return tooMany(f.until.Sub(now))
	}
	return nil
}

// End reports the result of the attempt. It must be called exactly once. An err that
// wraps AUTH-1 is a failure. Any other result does not count.
func (a *Attempt) End(err error) {
	if a == nil {
		return
	}

	t := a.throttle
	t.mu.Lock()
	defer t.mu.Unlock()
	if a.alone != nil {
		a.alone.tried = false
	}

	// A failure of the server, for example, says nothing about the credential.
	if errors.Is(err, errorsx.CredentialsIncorrect) {
		t.fail(a.pair, time.Now())
	}
}

// fail counts a failure of a pair. The caller holds t.mu.
func (t *Throttle) fail(p pair, now time.Time) {
	t.forget(t.failing, now)
	t.forget(t.blocked, now)

	p = t.counted(p, now)
	f, wasBlocked := t.blocked.Get(p)
	if !wasBlocked {
		f, _ = t.failing.Get(p)
	}

	if f == nil {
		f = &failures{}
		t.addresses[p.address]++
		t.failing.Add(p, f)
	}

	f.note(now, t.cfg)
	if f.blocks > 0 && !wasBlocked {
		// Remove subtracts one from the address's pairs, which still has this pair.
		t.addresses[p.address]++
		t.failing.Remove(p)
		t.blocked.Add(p, f)
	}
}

// forget drops the least recently tried pairs of a list whose failures have expired.
// The caller holds t.mu.
func (t *Throttle) forget(list *simplelru.LRU[pair, *failures], now time.Time) {
	for {
		p, f, ok := list.GetOldest()
		if !ok || !f.over(now, t.cfg) {
			return
		}
		list.Remove(p)
	}
}

// forgotten is called for every pair that leaves a list. The caller holds t.mu.
func (t *Throttle) forgotten(p pair, _ *failures) {
	if t.addresses[p.address]--; t.addresses[p.address] == 0 {
		delete(t.addresses, p.address)
	}
}

// counted returns p, or the pair that all further accounts of p's address share. The
// caller holds t.mu.
func (t *Throttle) counted(p pair, now time.Time) pair {
	if t.addresses[p.address] < maxPerAddress || t.failing.Contains(p) || t.blocked.Contains(p) {
		return p
	}

	// Drop expired pairs first. If the address still has too many, the account is
	// counted under others.
	if t.forget(t.failing, now); t.addresses[p.address] >= maxPerAddress {
		p.account = others
	}
	return p
}

// network returns the part of an address that one subscriber has.
func network(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		// Prefix fails only for more bits than the address has.
		p, _ := a.Prefix(64)
		return p.Addr()
	}
	return a
}
