package middleware

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Kind says what a [Revocation] is about.
type Kind uint8

// The kinds, and the field of [Identity] that a revocation's ID is compared
// with.
const (
	KindToken      Kind = 1 + iota // TokenID
	KindFamily                     // Family
	KindSession                    // TokenID, which is the session's ID
	KindAPIKey                     // KeyID
	KindClient                     // Client
	KindUser                       // User, or the owner of an API key
	KindSigningKey                 // SignedBy
	KindEverything                 // matches every identity; ID is empty
)

// A Revocation says that what was known of some identities holds no more: they
// are revoked, or changed.
type Revocation struct {
	Kind Kind
	ID   string
}

// matches reports whether r is about id.
func (r Revocation) matches(id *Identity) bool {
	switch r.Kind {
	case KindToken, KindSession:
		return r.ID == id.TokenID
	case KindFamily:
		return r.ID == id.Family
	case KindAPIKey:
		return r.ID == id.KeyID
	case KindClient:
		return r.ID == id.Client
	case KindUser:
		return id.ownedBy(r.ID)
	case KindSigningKey:
		return r.ID == id.SignedBy
	}
	return true // KindEverything, and a kind that a newer version knows
}

// A Sink remembers identities, and is told what to forget. Its methods may be
// called concurrently.
type Sink interface {
	// Forget drops what the revocations are about. When it returns, no identity
	// that was validated before is answered any more.
	Forget(...Revocation)

	// FreshUntil says until when the sink may answer without hearing of more
	// revocations.
	FreshUntil(time.Time)
}

// A Source is a [Validator] that knows when what it said holds no more.
type Source interface {
	// Subscribe tells s from now on, first of all until when it is fresh. After
	// cancel returns, s is told no more.
	Subscribe(s Sink) (cancel func())
}

// A PartialSource is a [Source] that may not hear of everything that ends a
// credential. If Partial returns true, a [Cache] around it needs an explicit TTL. It
// is for packages that implement a [Validator]; most programs do not need it.
type PartialSource interface {
	Source
	Partial() bool
}

func isPartial(v Validator) bool {
	p, ok := v.(PartialSource)
	return ok && p.Partial()
}

// ringSize is how many revocations are remembered. What is further behind is
// validated anew.
const ringSize = 4096

// A ring numbers revocations and remembers the last ones. An identity carries
// the number read before its validation began; it holds as long as none of the
// revocations since is about it.
type ring struct {
	count atomic.Uint64 // of all revocations so far

	mu   sync.RWMutex
	last [ringSize]Revocation // number n is at (n-1) % ringSize
}

func (r *ring) add(rs []Revocation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rev := range rs {
		n := r.count.Load()
		r.last[n%ringSize] = rev
		r.count.Store(n + 1)
	}
}

// since reports whether id, validated after the revocation with that number,
// still holds, and up to which number.
func (r *ring) since(number uint64, id *Identity) (upTo uint64, holds bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	upTo = r.count.Load()
	if upTo-number > ringSize {
		return upTo, false
	}
	for n := number; n < upTo; n++ {
		if r.last[n%ringSize].matches(id) {
			return upTo, false
		}
	}
	return upTo, true
}

// Sinks are the subscribers of a [Source]. The zero value has none.
type Sinks struct {
	mu    sync.Mutex
	sinks []*subscription
	fresh time.Time
}

type subscription struct{ sink Sink }

// Subscribe implements [Source].
func (s *Sinks) Subscribe(sink Sink) (cancel func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := &subscription{sink}
	s.sinks = append(s.sinks, sub)
	sink.FreshUntil(s.fresh)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sinks = slices.DeleteFunc(s.sinks, func(x *subscription) bool { return x == sub })
	}
}

// Forget tells all subscribers.
func (s *Sinks) Forget(rs ...Revocation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sub := range s.sinks {
		sub.sink.Forget(rs...)
	}
}

// FreshUntil tells all subscribers, and those to come.
func (s *Sinks) FreshUntil(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fresh = t
	for _, sub := range s.sinks {
		sub.sink.FreshUntil(t)
	}
}
