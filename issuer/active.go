package issuer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/store"
)

// CheckActive returns nil if a client and a user of this issuer exist, are not disabled,
// and were not revoked at the time issued or later. An empty name is not checked. It is for
// tokens of an identity provider that stand for a client of this issuer, see the field Own
// of idp.Config.
//
// The error for an inactive name wraps AUTH-12. If the store cannot be read, CheckActive
// returns another error, and the request fails with AUTH-8.
// The time of a revocation is known to the nodes that ran then. A node that has started
// since accepts a provider's token from before the revocation, so disable a client whose
// tokens of the provider must end.
func (i *Issuer) CheckActive(ctx context.Context, client, user string, issued time.Time) error {
	if client != "" {
		if _, err := i.client(ctx, client, nil); err != nil {
			return inactive(store.KindClient, err)
		}
	}
	if user != "" {
		u, err := i.user(ctx, user)
		switch {
		case err != nil:
			return inactive(store.KindUser, err)
		case u.Login != user:
			// A revocation names the login of the record, and would not reach this one.
			return inactive(store.KindUser, errorsx.CredentialsIncorrect)
		}
	}

	r, now := &i.revocations, time.Now()
	switch {
	case r.isStale(now) && !(i.cfg.AllowStale && i.runs.Load() > 0):
		return i.errStale()
	case r.isUnsure(subject{store.KindClient, client}, subject{store.KindUser, user}):
		return errUnsure
	case r.revokedAfter(issued, subject{store.KindClient, client}, subject{store.KindUser, user}):
		return &errorsx.Error{Code: errorsx.UnknownToken, Client: client, Err: errRevoked}
	}
	return nil
}

// inactive returns the refusal of a token whose client or user could not be found.
func inactive(kind store.Kind, err error) error {
	if err := unlessRefused(err); err != nil {
		return err
	}
	name := "client"
	if kind == store.KindUser {
		name = "user"
	}
	return &errorsx.Error{Code: errorsx.UnknownToken, Err: fmt.Errorf("issuer: the %s does not exist or is disabled", name)}
}

// isUnsure reports whether one of the subjects was revoked and the store was not read
// since.
func (r *revocations) isUnsure(subjects ...subject) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.ContainsFunc(subjects, func(s subject) bool { _, unsure := r.unsure[s]; return unsure })
}

// revokedAfter reports whether one of the subjects is known to have been revoked at that
// time or later.
func (r *revocations) revokedAfter(t time.Time, subjects ...subject) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, s := range subjects {
		if at, ok := r.since[s]; ok && !t.After(at) {
			return true
		}
	}
	return false
}
