package middleware

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Revocation says that some identities were revoked or changed, so that results
// remembered for them are no longer valid. It names all identities in which at least
// one field equals the revocation's field of the same name. Empty fields name none. A
// Revocation without any field names all identities, because a name was lost.
type Revocation struct {
	TokenID      string // also a session's ID
	Family       string
	APIKeyID     string
	Client       string
	User         string // also the Owner in its Details
	SigningKeyID string

	Everything bool // names all identities
}

// everything reports whether r names all identities.
func (r *Revocation) everything() bool { return r.Everything || *r == Revocation{} }

// A named is one field of a Revocation, in the small form in which a ring keeps it.
type named struct {
	field field
	value string
}

// A field is a field of a Revocation.
type field uint8

const (
	everything field = iota
	tokenID
	family
	apiKeyID
	client
	user
	signingKeyID
)

// fields returns the fields that r has.
func (r *Revocation) fields() []named {
	if r.everything() {
		return []named{{field: everything}}
	}
	all := []named{
		{tokenID, r.TokenID}, {family, r.Family}, {apiKeyID, r.APIKeyID}, {client, r.Client}, {user, r.User},
		{signingKeyID, r.SigningKeyID},
	}
	return slices.DeleteFunc(all, func(n named) bool { return n.value == "" })
}

// matches reports whether n names id.
func (n named) matches(id *Identity) bool {
	switch n.field {
	case tokenID:
		return n.value == id.TokenID
	case family:
		return n.value == id.Family
	case apiKeyID:
		return n.value == id.APIKeyID
	case client:
		return n.value == id.Client
	case user:
		return id.ownedBy(n.value)
	case signingKeyID:
		return n.value == id.SigningKeyID
	}
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
	last [ringSize]named // number n is at (n-1) % ringSize
}

func (r *ring) add(rs []Revocation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rev := range rs {
		for _, name := range rev.fields() {
			n := r.count.Load()
			r.last[n%ringSize] = name
			r.count.Store(n + 1)
		}
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
// use. Its owner must call FreshUntil before the first request and again while it
// runs: until then, and after each such time, a [Cache] answers AUTH-8. Sinks are safe
// for concurrent use.
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
