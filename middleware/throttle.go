package middleware

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/authtier/authtier/errorsx"
)

// ThrottleConfig configures a [Throttle]. The zero value is ready to use.
type ThrottleConfig struct {
	// Failures are how many attempts at one account may fail from one address
	// within Window: 10 in 15 minutes, if 0. The next failure blocks the two for
	// a second, and each one after that for twice as long, up to a quarter of an
	// hour. As many as Failures run off in each Window. The two are forgotten when
	// all failures have run off and the last block ended more than a Window ago. A
	// correct credential in between changes nothing, because it may belong to another
	// user of the same address.
	Failures int
	Window   time.Duration

	// Canonical returns the one spelling of a name whose spellings are all taken
	// for the same account. If nil, letter case and outer blanks make no
	// difference.
	Canonical func(username string) string
}

// A Throttle slows down guessing of passwords and secrets. It counts only failures
// (AUTH-1), per account and address. An address is an IPv4 address or the first 64
// bits of an IPv6 address. Nobody can lock another's account: a correct credential
// from an address that has not failed is always let through.
//
// While an account and an address are blocked, all attempts are AUTH-13. Correct ones
// are too, because the block would not stop the guessing otherwise. After a block,
// attempts are tried one at a time until the failures have run off, so sending many
// at once does not help.
//
// Share one throttle among all that check the same passwords: wrappers, by
// [Throttle.Around], the token endpoint and login. API keys and tokens are not
// throttled, because nobody guesses 256 bits.
//
// It remembers up to 32,768 pairs of account and address that have failed, and as
// many that were blocked, those that were tried last. Beyond 256 accounts, all
// further accounts of an address count as one, so made-up names cannot evict others'
// failures. That is 20 MiB at most. A nil *Throttle lets everything through. Its
// methods may be called concurrently.
type Throttle struct {
	cfg ThrottleConfig

	mu        sync.Mutex
	failing   *simplelru.LRU[pair, *failures] // never blocked so far
	blocked   *simplelru.LRU[pair, *failures] // once at least: these cost more to push out
	addresses map[netip.Addr]int              // pairs of each
}

const (
	maxPairs      = 1 << 15 // failing, and as many blocked
	maxPerAddress = 256
	firstBlock    = time.Second
	longestBlock  = 15 * time.Minute
)

// A pair is an account, as a digest, and an address from which it is tried.
type pair struct {
	account [16]byte
	address netip.Addr
}

// others stands for the accounts of an address beyond maxPerAddress.
var others [16]byte

// failures are those of one pair.
type failures struct {
	level  float64 // how many, of which Failures run off in each Window
	last   time.Time
	blocks int // so far
	until  time.Time
	tried  bool // after a block, one at a time
}

// NewThrottle returns a throttle that has counted nothing yet. c may be nil. It
// returns an error if Failures is negative or Window is out of range.
func NewThrottle(c *ThrottleConfig) (*Throttle, error) {
	var cfg ThrottleConfig
	if c != nil {
		cfg = *c
	}
	if cfg.Failures < 0 || cfg.Window < 0 || cfg.Window > 0 && cfg.Window < time.Second {
		return nil, fmt.Errorf("middleware: NewThrottle: %d failures in %v, expected a number that is not negative, and at least a second: a number without a unit is nanoseconds",
			cfg.Failures, cfg.Window)
	}
	cfg.Failures = cmp.Or(cfg.Failures, 10)
	cfg.Window = cmp.Or(cfg.Window, 15*time.Minute)
	if cfg.Canonical == nil {
		cfg.Canonical = func(username string) string { return strings.ToLower(strings.TrimSpace(username)) }
	}
	t := &Throttle{cfg: cfg, addresses: map[netip.Addr]int{}}
	t.failing, _ = simplelru.NewLRU(maxPairs, t.forgotten) // fails for a size of 0 alone
	t.blocked, _ = simplelru.NewLRU(maxPairs, t.forgotten)
	return t, nil
}

// Around returns v, with its Basic credentials throttled. It goes around a
// [Cache], because attempts that a cache answers must be throttled too; a
// [NewCache] around it is an error.
func (t *Throttle) Around(v Validator) Validator {
	if t == nil {
		panic("middleware: Throttle.Around: nil Throttle")
	}
	if isNil(v) {
		panic("middleware: Throttle.Around: nil Validator")
	}
	return throttled{t, v}
}

type throttled struct {
	throttle  *Throttle
	validator Validator
}

// Validate implements [Validator]. An attempt outlives its request: a client that
// hangs up has still failed.
func (v throttled) Validate(ctx context.Context, c Credential) (id *Identity, err error) {
	if c.Scheme != errorsx.SchemeBasic {
		return v.validator.Validate(ctx, c)
	}
	attempt, err := v.throttle.Begin(c)
	if err != nil {
		return nil, err
	}
	defer func() { attempt.End(err) }()
	return v.validator.Validate(context.WithoutCancel(ctx), c)
}

// Unwrap returns the validator that is throttled.
func (v throttled) Unwrap() Validator { return v.validator }

// Begin returns an attempt if the credential may be tried at c.Now: its account is
// c.Username and its address c.From(). Otherwise the error is AUTH-13, with the time
// to wait.
func (t *Throttle) Begin(c Credential) (*Attempt, error) {
	if t == nil {
		return nil, nil
	}
	if c.request == nil && !c.from.IsValid() {
		return nil, errorsx.Fault(errors.New("middleware: Throttle: a credential without a request or address: " +
			"pass on the one that the wrapper gives, or call WithRequest or WithAddr"))
	}
	sum := sha256.Sum256([]byte(t.cfg.Canonical(c.Username)))
	a := &Attempt{throttle: t, pair: pair{[16]byte(sum[:16]), network(c.From())}}
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

// An Attempt is a credential that is tried. A nil one is of no throttle.
type Attempt struct {
	throttle *Throttle
	pair     pair
	alone    *failures // it is the one that may be tried, or nil
}

// Blocked returns AUTH-13 if other attempts have failed too often since Begin.
// Callers that had to wait should call it.
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

// End tells how the attempt went, and is called once. An error that wraps AUTH-1 is
// a failure; anything else does not count.
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
	if errors.Is(err, errorsx.CredentialsIncorrect) {
		t.fail(a.pair, time.Now())
	}
}

// fail counts a failure. The throttle is locked.
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
		t.addresses[p.address]++ // and one less with the removal
		t.failing.Remove(p)
		t.blocked.Add(p, f)
	}
}

// forget drops the pairs that were tried least recently, as far as their failures
// are over. The throttle is locked.
func (t *Throttle) forget(list *simplelru.LRU[pair, *failures], now time.Time) {
	for {
		p, f, ok := list.GetOldest()
		if !ok || !f.over(now, t.cfg) {
			return
		}
		list.Remove(p)
	}
}

// forgotten is told of every pair that leaves a list. The throttle is locked.
func (t *Throttle) forgotten(p pair, _ *failures) {
	if t.addresses[p.address]--; t.addresses[p.address] == 0 {
		delete(t.addresses, p.address)
	}
}

// counted returns what a pair is counted under. The throttle is locked.
func (t *Throttle) counted(p pair, now time.Time) pair {
	if t.addresses[p.address] < maxPerAddress || t.failing.Contains(p) || t.blocked.Contains(p) {
		return p
	}
	if t.forget(t.failing, now); t.addresses[p.address] >= maxPerAddress {
		p.account = others
	}
	return p
}

// network returns the part of an address that belongs to one subscriber.
func network(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		p, _ := a.Prefix(64) // fails for longer ones alone
		return p.Addr()
	}
	return a
}

// note counts a failure. One that was let through before a block began adds to what
// has to run off, and not to the block.
func (f *failures) note(now time.Time, cfg ThrottleConfig) {
	if f.over(now, cfg) {
		*f = failures{}
	}
	f.level = f.levelAt(now, cfg) + 1
	f.last = now
	if !now.Before(f.until) && (f.blocks > 0 || f.level > float64(cfg.Failures)) {
		f.until = now.Add(min(firstBlock<<min(f.blocks, 20), longestBlock))
		f.blocks++
	}
}

func (f *failures) levelAt(now time.Time, cfg ThrottleConfig) float64 {
	return max(0, f.level-float64(cfg.Failures)*float64(now.Sub(f.last))/float64(cfg.Window))
}

// over reports whether all failures have run off and the last block ended more than
// a Window ago.
func (f *failures) over(now time.Time, cfg ThrottleConfig) bool {
	return f.levelAt(now, cfg) == 0 && (f.blocks == 0 || now.Sub(f.until) > cfg.Window)
}
