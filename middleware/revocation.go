package middleware

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Kind is the kind of thing that a [Revocation] names.
type Kind uint8

// The kinds, and the field of [Identity] with which a revocation's ID is compared.
const (
	KindToken      Kind = 1 + iota // TokenID
	KindFamily                     // Family
	KindSession                    // TokenID, which is the session's ID
	KindAPIKey                     // KeyID
	KindClient                     // Client
	KindUser                       // User, or the owner that WithOwner set
	KindSigningKey                 // SignedBy
	KindEverything                 // matches every identity; ID is empty
)

// A Revocation says that some identities were revoked or changed, so that results
// remembered for them are no longer valid.
type Revocation struct {
	Kind Kind
	ID   string
}

// matches reports whether r applies to id.
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
	// KindEverything. A kind that this version does not know matches everything too.
	return true
}

// A Sink remembers identities and receives the reports of a [Source]. Its methods
// must be safe for concurrent use.
type Sink interface {
	// Forget drops the identities that the revocations match. After it returns, the
	// sink must not return an identity that was validated before.
	Forget(...Revocation)

	// FreshUntil sets the time until which the sink may use its identities without
	// another report.
	FreshUntil(time.Time)
}

// A Source is a [Validator] that reports when its earlier results are no longer
// valid.
type Source interface {
	// Subscribe sends all further reports to s. Before it returns, it reports until
	// when s is fresh. After cancel returns, s gets no more reports.
	Subscribe(s Sink) (cancel func())
}

// A PartialSource is a [Source] that may miss some changes that end a credential. If
// Partial returns true, a [Cache] around it needs an explicit TTL. It is for packages
// that implement a [Validator]; most programs do not need it.
type PartialSource interface {
	Source
	Partial() bool
}

func isPartial(v Validator) bool {
	p, ok := v.(PartialSource)
	return ok && p.Partial()
}

// ringSize is the number of revocations that a ring remembers. An identity that has
// missed more of them is validated again.
const ringSize = 4096

// A ring numbers revocations and remembers the last ones. An identity carries the
// number that was read before its validation began. The identity is valid as long as
// no later revocation matches it.
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

// since reports whether no revocation after the given number matches id, and the
// number of the last revocation that was compared.
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

// Sinks are the subscribers of a [Source]. The zero value has none and is ready to
// use. Sinks are safe for concurrent use.
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

// Forget reports revocations to all subscribers.
func (s *Sinks) Forget(rs ...Revocation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sub := range s.sinks {
		sub.sink.Forget(rs...)
	}
}

// FreshUntil reports t to all subscribers, and to later ones when they subscribe.
func (s *Sinks) FreshUntil(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fresh = t
	for _, sub := range s.sinks {
		sub.sink.FreshUntil(t)
	}
}
