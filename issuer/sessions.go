package issuer

import (
	"context"
	"time"

	"github.com/authtier/authtier/issuer/internal/hook"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

func init() {
	hook.SessionsOf = func(issuer any, maxAge time.Duration) hook.Sessions {
		return sessions{issuer.(*Issuer), maxAge}
	}
	hook.Guarded = func(issuer any, v middleware.Validator) middleware.Validator {
		return issuer.(*Issuer).guarded(v)
	}
}

// sessions implements [hook.Sessions] for the session system.
type sessions struct {
	issuer *Issuer
	maxAge time.Duration
}

func (s sessions) IsRevoked(id string) bool {
	r := &s.issuer.revocations
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.revoked.has(store.KindSession, id)
}

func (s sessions) Revoke(ctx context.Context, id string) error {
	ctx, cancel := lasting(ctx)
	defer cancel()
	return s.issuer.revoke(ctx, store.Change{Kind: store.KindSession, ID: id, Until: time.Now().Add(s.maxAge)})
}

func (s sessions) OwnUsers() bool { return s.issuer.ownUsers() }
