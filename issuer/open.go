package issuer

import (
	"context"
	"errors"
	"fmt"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// Open returns an issuer with goroutines of its own. Until it is closed, they follow
// the store, rotate the signing keys and record last uses.
//
// url is the iss claim of its tokens and the base of its endpoints. It must be an https
// URL without query, fragment and trailing slash (RFC 8414 section 2). On loopback it
// may be http. ctx applies only until Open returns.
//
// The URL is part of stored records. After a change, earlier tokens and sessions are
// refused, and earlier usage is reported only under the old URL.
//
// All issuers on one store accept its API keys, client secrets and passwords, because
// these do not name an issuer. Only tokens and sessions belong to one audience.
// Therefore give staging and production, or two products, a store each.
//
// cfg must not be nil, because it must say how the signing keys are kept. Open returns
// an error that joins everything that is wrong with ctx, url, db and cfg. A panic of
// the store is an error too.
func Open(ctx context.Context, url string, db store.Store, cfg *Config) (*Issuer, error) {
	i, err := newIssuer(ctx, url, db, cfg)
	if err != nil {
		return nil, fmt.Errorf("issuer: Open: %w", err)
	}
	i.opened = make(chan struct{})
	go func() {
		defer close(i.opened)
		i.follows(context.Background())
	}()
	return i, nil
}

// errClosed is the error of every method after Close.
var errClosed = &errorsx.Error{Code: errorsx.Internal, Err: errors.New("issuer: it is closed")}

// Close ends the issuer. From then on it refuses every credential with AUTH-8, and so
// do the caches in front of it. Close stores the last uses, which may take two seconds,
// and waits for the goroutines that Open started. It does not close the store. Further
// calls do nothing. The error is always nil.
func (i *Issuer) Close() error {
	if i.closed.Swap(true) {
		return nil
	}
	i.end()

	// A cache would otherwise go on answering from memory, without asking the issuer.
	i.sinks.Forget(middleware.Revocation{Everything: true})

	if i.opened != nil {
		<-i.opened
	}
	return nil
}

// cacheSize is the number of credentials that Validator caches. They take about 50 MB.
const cacheSize = 100_000

// Validator returns the validator for APIKey, Basic and Bearer: the issuer, behind a
// cache of 100,000 credentials, behind the issuer's throttle. Every call returns the
// same validator. To use another cache or throttle, put them around the issuer, which
// is a [middleware.Validator] too.
func (i *Issuer) Validator() middleware.Validator {
	i.mustExist("Validator")
	return i.validator()
}

// guarded returns v behind a cache and the issuer's throttle. v must tell its
// subscribers about all revocations.
func (i *Issuer) guarded(v middleware.Validator) middleware.Validator {
	cache, err := middleware.NewCache(v, cacheSize, &middleware.CacheConfig{AllowStale: i.cfg.AllowStale})
	if err != nil {
		panic(err) // only a bug in this package gets here
	}
	if i.cfg.Throttle == nil {
		return cache
	}
	return i.cfg.Throttle.Around(cache)
}
