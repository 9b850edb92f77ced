package issuer

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/authtier/authtier/store"
)

const (
	maxUses      = 100_000 // credentials that are remembered
	tellEvery    = time.Minute
	tellTimeout  = 10 * time.Second
	lastTell     = 2 * time.Second // limit of the last call, when Run ends
	tellTogether = 100
)

// A credential is an API key, or a client's secret.
type credential struct{ client, id string }

// uses records when API keys and secrets were last used, to the hour. Each credential
// is noted once an hour. Beyond maxUses credentials, further ones are not noted in that
// hour.
//
// A cache answers without the issuer, so that such uses are not noted. It asks again
// every five minutes. The store therefore learns of an hour's first use within about
// six minutes.
type uses struct {
	toucher store.Toucher // nil if uses need not be noted

	mu     sync.Mutex
	hour   time.Time
	noted  map[credential]struct{} // in that hour
	untold map[credential]time.Time
}

// note notes a use. A credential without an ID is skipped, because the store cannot
// name it.
func (u *uses) note(client, id string, now time.Time) {
	if u.toucher == nil || id == "" {
		return
	}
	c, hour := credential{client, id}, now.UTC().Truncate(time.Hour)

	u.mu.Lock()
	defer u.mu.Unlock()

	if !hour.Equal(u.hour) || u.noted == nil {
		u.hour, u.noted = hour, map[credential]struct{}{}
	}

	if _, ok := u.noted[c]; ok || len(u.noted) >= maxUses {
		return
	}
	if u.add(c, hour) {
		u.noted[c] = struct{}{}
	}
}

// add adds a use to those that are to be stored. It reports whether there was room. The
// caller must hold the lock.
func (u *uses) add(c credential, hour time.Time) bool {
	before, ok := u.untold[c]
	if !ok && len(u.untold) >= maxUses {
		return false
	}
	if u.untold == nil {
		u.untold = map[credential]time.Time{}
	}
	if hour.After(before) {
		u.untold[c] = hour
	}
	return true
}

// take returns the uses that are to be stored and forgets them.
func (u *uses) take() (all []store.Use) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for c, at := range u.untold {
		all = append(all, store.Use{Client: c.client, ID: c.id, At: at})
	}
	u.untold = nil
	return all
}

// tell passes the uses to the store. Those that the store does not accept are kept for
// the next call.
func (u *uses) tell(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	all := u.take()
	for told := 0; told < len(all); told += tellTogether {
		rest := all[told:]
		if err := u.toucher.Touch(ctx, slices.Clone(rest[:min(len(rest), tellTogether)])...); err != nil {
			u.putBack(rest)
			return err
		}
	}
	return nil
}

func (u *uses) putBack(rest []store.Use) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, use := range rest {
		u.add(credential{use.Client, use.ID}, use.At)
	}
}

// tellUses passes the uses to the store every minute, and once more when ctx ends.
func (i *Issuer) tellUses(ctx context.Context) {
	failing := i.condition("the last uses of API keys and secrets cannot be stored", "last uses are stored again")
	for pause(ctx, tellEvery); ctx.Err() == nil; pause(ctx, tellEvery) {
		failing(ctx, i.uses.tell(ctx, tellTimeout))
	}

	// ctx has ended, but the last uses must still be stored.
	ended := context.WithoutCancel(ctx)
	failing(ended, i.uses.tell(ended, lastTell))
}
