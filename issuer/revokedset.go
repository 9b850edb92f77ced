package issuer

import (
	"hash/maphash"
	"maps"
	"time"

	"github.com/authtier/authtier/store"
)

// maxRevoked is how many tokens a client may revoke one by one. At the next, all of its
// tokens are revoked together. The memory of a node is therefore bounded by the number
// of clients.
const maxRevoked = 10_000

// A revokedSet remembers what is revoked until it has expired. An entry takes about 60
// bytes. IDs are kept as 128-bit hashes under a secret seed.
type revokedSet struct {
	seeds    [2]maphash.Seed
	ids      map[[2]uint64]revokedID
	byClient map[string]int
}

type revokedID struct {
	until  time.Time // zero: for ever
	client string    // the client that revoked it on this node, if any
}

func newRevokedSet() revokedSet {
	return revokedSet{
		seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		ids:   map[[2]uint64]revokedID{}, byClient: map[string]int{},
	}
}

func (r *revokedSet) key(k store.Kind, id string) (sum [2]uint64) {
	for i, seed := range r.seeds {
		sum[i] = maphash.String(seed, id) ^ uint64(k)<<56
	}
	return sum
}

func (r *revokedSet) has(k store.Kind, id string) bool {
	if len(r.ids) == 0 {
		return false
	}
	_, ok := r.ids[r.key(k, id)]
	return ok
}

// add adds a revocation. It never shortens one.
func (r *revokedSet) add(k store.Kind, id string, until, now time.Time) {
	key := r.key(k, id)
	old, known := r.ids[key]
	switch {
	case known && (old.until.IsZero() || !until.IsZero() && until.Before(old.until)):
		return
	case !until.IsZero():
		// Times from the store have no monotonic reading. Now the end can be compared
		// by both clocks.
		until = now.Add(until.Sub(now))
	}
	r.ids[key] = revokedID{until, old.client}
}

// charge counts an entry against the client that revoked it.
func (r *revokedSet) charge(k store.Kind, id, client string) {
	key := r.key(k, id)
	if entry, ok := r.ids[key]; ok && entry.client == "" {
		entry.client = client
		r.ids[key] = entry
		r.byClient[client]++
	}
}

// drop forgets what a client has revoked, when all of its tokens are revoked.
func (r *revokedSet) drop(client string) {
	r.remove(func(e revokedID) bool { return e.client == client })
}

// purge forgets what has expired.
func (r *revokedSet) purge(now time.Time) {
	r.remove(func(e revokedID) bool { return !e.until.IsZero() && over(now, e.until) })
}

func (r *revokedSet) remove(gone func(revokedID) bool) {
	maps.DeleteFunc(r.ids, func(_ [2]uint64, e revokedID) bool {
		if !gone(e) {
			return false
		}
		if e.client != "" {
			if r.byClient[e.client]--; r.byClient[e.client] == 0 {
				delete(r.byClient, e.client)
			}
		}
		return true
	})
}

// over reports whether a revocation need not be remembered any more. An hour must have
// passed since its end, by the monotonic clock and by the wall clock, which may be set.
func over(now, until time.Time) bool {
	until = until.Add(time.Hour)
	return now.After(until) && now.Round(0).After(until.Round(0))
}
