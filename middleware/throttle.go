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
	// hour. They are forgotten once nothing has failed for Window.
	Failures int
	Window   time.Duration

	// TrustedProxies may say by X-Forwarded-For whom they speak for. If empty,
	// the address is the connection's own.
	TrustedProxies []netip.Prefix

	// Canonical returns the one spelling of a name whose spellings are all taken
	// for the same account. If nil, letter case and outer blanks make no
	// difference.
	Canonical func(username string) string
}

// A Throttle slows down those who guess passwords and secrets. It counts
// failures alone (AUTH-1), for each account and address, where an address is an
// IPv4 address or the first 64 bits of an IPv6 address: nobody locks another's
// account, and a right credential from an address that has not failed is always
// let through. While an account and an address are blocked, all attempts are
// AUTH-13, right ones too, or the block would not stop the guessing.
//
// One throttle is shared by all that ask for the same passwords: wrappers, by
// [Throttle.Around], token endpoint and login. API keys and tokens are not
// throttled, since nobody guesses 256 bits.
//
// It remembers up to 32,768 pairs of account and address that have failed, and as
// many that were blocked; those that were tried last stay. Beyond 256 accounts of
// one address, its others count as one: many made-up names push out nobody else's
// failures. That is 20 MiB at most. A nil *Throttle lets everything through. Its
// methods may be called concurrently.
type Throttle struct {
	cfg ThrottleConfig

	mu        sync.Mutex
	failing   *simplelru.LRU[attempt, *failures] // never blocked so far
	blocked   *simplelru.LRU[attempt, *failures] // once at least: these cost more to push out
	addresses map[netip.Addr]int                 // attempts of each
}

const (
	maxAttempts   = 1 << 15 // failing, and as many blocked
	maxPerAddress = 256
	firstBlock    = time.Second
	longestBlock  = 15 * time.Minute
	maxHops       = 32 // proxies that a request is followed through
)

// An attempt is an account, as a digest, and an address that tries it.
type attempt struct {
	account [16]byte
	address netip.Addr
}

// others stands for the accounts of an address beyond maxPerAddress.
var others [16]byte

// failures are those of one attempt.
type failures struct {
	level  float64 // how many, of which Failures run off in each Window
	last   time.Time
	blocks int // so far
	until  time.Time
}

// NewThrottle returns a throttle that has counted nothing yet.
func NewThrottle(cfg ThrottleConfig) (*Throttle, error) {
	if cfg.Failures < 0 || cfg.Window < 0 {
		return nil, fmt.Errorf("middleware: NewThrottle: %d failures in %v, expected neither to be negative", cfg.Failures, cfg.Window)
	}
	for _, p := range cfg.TrustedProxies {
		if !p.IsValid() {
			return nil, errors.New("middleware: NewThrottle: an invalid prefix among TrustedProxies")
		}
	}
	cfg.Failures = cmp.Or(cfg.Failures, 10)
	cfg.Window = cmp.Or(cfg.Window, 15*time.Minute)
	if cfg.Canonical == nil {
		cfg.Canonical = func(username string) string { return strings.ToLower(strings.TrimSpace(username)) }
	}
	t := &Throttle{cfg: cfg, addresses: map[netip.Addr]int{}}
	t.failing, _ = simplelru.NewLRU(maxAttempts, t.forgotten) // fails for a size of 0 alone
	t.blocked, _ = simplelru.NewLRU(maxAttempts, t.forgotten)
	return t, nil
}

// Around returns v, with its Basic credentials throttled. It goes around a
// [Cache], so that what is remembered is throttled too.
func (t *Throttle) Around(v Validator) Validator {
	if v == nil {
		panic("middleware: Throttle.Around: nil Validator")
	}
	return throttled{t, v}
}

type throttled struct {
	throttle  *Throttle
	validator Validator
}

// Validate implements [Validator].
func (v throttled) Validate(ctx context.Context, c Credential) (*Identity, error) {
	if c.Scheme != errorsx.SchemeBasic {
		return v.validator.Validate(ctx, c)
	}
	if err := v.throttle.Allow(c); err != nil {
		return nil, err
	}
	id, err := v.validator.Validate(ctx, c)
	v.throttle.Note(c, err)
	return id, err
}

// Allow returns nil if the credential may be tried: its account is c.Username and
// its address c.From. Otherwise it is AUTH-13, with the time to wait.
func (t *Throttle) Allow(c Credential) error {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	f, ok := t.blocked.Get(t.attempt(c))
	if !ok {
		return nil
	}
	wait := f.until.Sub(c.Now())
	if wait <= 0 {
		return nil
	}
	return &errorsx.Error{
		Code: errorsx.TooManyRequests, RetryAfter: wait,
		Message: "Too many failed attempts for this account from this address",
	}
}

// Note tells how a credential that Allow has let through fared: err is AUTH-1, nil,
// or something else, which does not count.
func (t *Throttle) Note(c Credential, err error) {
	failed := errors.Is(err, errorsx.CredentialsIncorrect)
	if t == nil || err != nil && !failed {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.attempt(c)
	if !failed {
		if a.account != others {
			t.failing.Remove(a)
			t.blocked.Remove(a)
		}
		return
	}
	f, wasBlocked := t.blocked.Get(a)
	if !wasBlocked {
		f, _ = t.failing.Get(a)
	}
	if f == nil {
		f = &failures{}
		t.addresses[a.address]++
		t.failing.Add(a, f)
	}
	f.note(c.Now(), t.cfg)
	if f.blocks > 0 && !wasBlocked {
		t.addresses[a.address]++ // and one less with the removal
		t.failing.Remove(a)
		t.blocked.Add(a, f)
	}
}

// forgotten is told of every attempt that leaves a list. The throttle is locked.
func (t *Throttle) forgotten(a attempt, _ *failures) {
	if t.addresses[a.address]--; t.addresses[a.address] == 0 {
		delete(t.addresses, a.address)
	}
}

// attempt returns what c is counted under. The throttle is locked.
func (t *Throttle) attempt(c Credential) attempt {
	sum := sha256.Sum256([]byte(t.cfg.Canonical(c.Username)))
	a := attempt{account: [16]byte(sum[:16]), address: network(c.From)}
	if t.addresses[a.address] >= maxPerAddress && !t.failing.Contains(a) && !t.blocked.Contains(a) {
		a.account = others
	}
	return a
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

func (f *failures) note(now time.Time, cfg ThrottleConfig) {
	if now.Before(f.until) {
		return // it was let through before the block began
	}
	if now.Sub(f.until) > cfg.Window && now.Sub(f.last) > cfg.Window {
		*f = failures{}
	}
	if !f.last.IsZero() {
		f.level = max(0, f.level-float64(cfg.Failures)*float64(now.Sub(f.last))/float64(cfg.Window))
	}
	f.level++
	f.last = now
	if f.blocks > 0 || f.level > float64(cfg.Failures) {
		f.until = now.Add(min(firstBlock<<min(f.blocks, 20), longestBlock))
		f.blocks++
	}
}
