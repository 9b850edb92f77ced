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
	lastTell     = 2 * time.Second // when Run ends
	tellTogether = 100
)

// A credential is an API key, or a client's secret.
type credential struct{ client, id string }

// uses are the API keys and secrets that were used, to the hour. Each is noted
// once an hour; with too many of them, those that come last are not.
//
// What a cache remembers is not noted. It asks again every five minutes, so that
// the store knows of an hour's first use some six minutes later at most.
type uses struct {
	toucher store.Toucher // nil: it need not be noted

	mu     sync.Mutex
	hour   time.Time
	noted  map[credential]struct{} // in that hour
	untold map[credential]time.Time
}

// note notes a use. What has no ID cannot be named.
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

// add adds a use to those that are to be told, and reports whether there was a
// place for it. The caller holds the lock.
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

// take returns what is to be told, and keeps nothing of it.
func (u *uses) take() (all []store.Use) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for c, at := range u.untold {
		all = append(all, store.Use{Client: c.client, ID: c.id, At: at})
	}
	u.untold = nil
	return all
}

// tell tells the store. What it does not take is told the next time.
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

// tellUses tells the store what was used from time to time, and when ctx ends.
func (i *Issuer) tellUses(ctx context.Context) {
	failing := i.condition("when API keys and secrets were used last cannot be stored", "last uses are stored again")
	for pause(ctx, tellEvery); ctx.Err() == nil; pause(ctx, tellEvery) {
		failing(ctx, i.uses.tell(ctx, tellTimeout))
	}
	ended := context.WithoutCancel(ctx)
	failing(ended, i.uses.tell(ended, lastTell))
}
