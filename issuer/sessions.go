package issuer

import (
	"context"
	"fmt"
	"time"

	"github.com/authtier/authtier/issuer/internal/hook"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
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

// RevokeSession revokes the session with the given ID, which is [store.Session].ID and
// the TokenID of the session's identities. It takes effect as soon as
// [Issuer.RevokeClient] does.
//
// An ID has 32 hexadecimal digits in lower case. For anything else, such as a session's
// token, RevokeSession returns [store.ErrNotFound]. An ID that no session has is not an
// error, because stores find sessions by their tokens only.
//
// The user's other sessions, tokens and password stay valid.
func (i *Issuer) RevokeSession(ctx context.Context, id string) error {
	if !isSessionID(id) {
		return fmt.Errorf("issuer: RevokeSession: %w: expected an ID of 32 hexadecimal digits", store.ErrNotFound)
	}
	if err := (sessions{i, idp.MaxLifetime}).Revoke(ctx, id); err != nil {
		return fmt.Errorf("issuer: RevokeSession: %w", err)
	}
	return nil
}

func isSessionID(id string) bool {
	for n := range len(id) {
		if c := id[n]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(id) == 32
}
