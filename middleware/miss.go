package middleware

import (
	"context"
	"errors"
	"time"

	"github.com/authtier/authtier/errorsx"
)

// miss asks the validator. If a revocation arrives while the validator answers, miss
// asks again.
func (c *Cache) miss(ctx context.Context, k cacheKey, cred Credential) (*Identity, error) {
	for range 3 {
		id, number, err := c.ask(ctx, k, cred)
		if err != nil {
			return nil, err
		}
		if _, holds := c.ring.since(number, id); holds {
			// A flight may have started before this request, so the identity may have
			// expired.
			return id.unexpired(cred.Now())
		}
	}
	return nil, &errorsx.Error{Code: errorsx.Internal, Err: errors.New("middleware: Cache: the identity is revoked again and again")}
}

// ask returns the validator's answer, and the number of the last revocation before
// the validator was asked.
func (c *Cache) ask(ctx context.Context, k cacheKey, cred Credential) (*Identity, uint64, error) {
	if c.local == nil || !c.local.Offline(cred) {
		return c.fly(ctx, k, cred)
	}

	// Without a signature there is no expensive work, so neither a limit nor a
	// remembered refusal is needed.
	if _, _, signed := cutSignature(cred.Secret); !signed {
		return c.validate(ctx, k, cred, false)
	}

	return c.check(ctx, k, cred)
}

// check validates a signed token when a place to check signatures is free.
func (c *Cache) check(ctx context.Context, k cacheKey, cred Credential) (id *Identity, number uint64, err error) {
	if err := c.checks.enter(ctx); err != nil {
		return nil, 0, err
	}
	good := false
	defer func() { c.checks.leave(!good) }()

	id, number, err = c.validate(ctx, k, cred, true)
	// Only an identity that is in the cache has a memo.
	good = err == nil && id.remembered() != nil && id.live(cred.Now())
	return id, number, err
}

// validate asks the validator and remembers its answer. It remembers a refusal only
// if refusals is set, which means that the refusal took work to find out.
func (c *Cache) validate(ctx context.Context, k cacheKey, cred Credential, refusals bool) (id *Identity, number uint64, err error) {
	// The number is read before the validator is asked. A revocation that arrives
	// while it answers then has a higher number.
	number = c.ring.count.Load()

	// asked is the request's time. If the validation had to wait, the entry expires
	// earlier.
	asked := cred.Now()
	id, err = callValidator(ctx, c.validator, cred)
	if err == nil {
		id = id.provenBy(methodOf(cred.Scheme))
	}
	switch {
	case ctx.Err() != nil, len(cred.Secret)+len(cred.Username) > maxCached:
		// The answer is too late, or the credential too large, to be remembered.
		return id, number, err
	case err != nil:
		if refusals {
			c.rememberRefusal(k, asked, err)
		}
		return nil, number, err
	}
	return c.remember(k, cred, asked, id, number), number, nil
}

// remember stores an identity and returns the stored one, or id itself if it has too
// much text to be stored. If a revocation arrived during the validation, the number
// tells the next hit.
func (c *Cache) remember(k cacheKey, cred Credential, asked time.Time, id *Identity, number uint64) *Identity {
	e := &entry{
		number: number, identity: *id, key: k, until: asked.Sub(c.start) + c.ttl,
		fits: fitsHeader(cred.Scheme, cred.Secret),
	}

	e.identity.memo, e.memo.of = &e.memo, &e.identity
	// The monotonic clock stands still while the machine sleeps, so the expiry must
	// be compared by the wall clock.
	e.identity.Expires = id.Expires.Round(0)
	e.ownText()

	s := c.shard(&k)
	s.mu.Lock()
	defer s.mu.Unlock()

	s.bad.remove(k.short())
	dropped, ok := s.good.put(e)
	s.stats.Evictions += uint64(dropped)
	if !ok {
		return id
	}
	return &e.identity
}

// notYetValid is the refusal of a credential that becomes valid at a later time.
type notYetValid interface {
	error
	ValidFrom() time.Time
}

// rememberRefusal stores a refusal for refusalTTL, unless it is a failure of the
// server or AUTH-13. A token that becomes valid earlier is refused only until then.
func (c *Cache) rememberRefusal(k cacheKey, asked time.Time, err error) {
	e := errorsx.From(err)
	if e.Code.IsServerError() || e.Code == errorsx.TooManyRequests {
		return
	}

	until := asked.Add(refusalTTL)
	if early, ok := errors.AsType[notYetValid](err); ok && early.ValidFrom().Before(until) {
		until = early.ValidFrom()
	}

	s := c.shard(&k)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bad.put(&refusal{key: k.kept(), err: err, until: until})
}
