package issuer

import (
	"context"
	"errors"
	"fmt"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// Open returns an issuer that follows the store, rotates its signing keys and notes
// last uses in goroutines of its own, until it is closed. url is the iss of its
// tokens and the base of its endpoints: an https URL without query, fragment and
// last slash (RFC 8414 section 2). On loopback it may be http. ctx bounds the
// opening alone.
//
// The URL is part of what is stored. After a change, tokens and sessions from before
// are refused, and the use from before is reported under the old URL only.
//
// All issuers on one store accept its API keys, client secrets and passwords,
// because these name no issuer. Only tokens and sessions belong to one audience.
// Staging and production, and two products, therefore need a store each.
//
// cfg must say how the signing keys are kept, see [Config]: it may not be nil. The
// error joins everything that is wrong with url, db and cfg.
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

// errClosed is the answer to everything after Close.
var errClosed = &errorsx.Error{Code: errorsx.Internal, Err: errors.New("issuer: it is closed")}

// Close ends the issuer: it refuses everything with AUTH-8 from now on, and so do the
// caches in front of it. Close tells the store of the last uses, which may take two
// seconds, and returns when the issuer's goroutines have ended. The store stays
// open. Closing again does nothing. The error is always nil.
func (i *Issuer) Close() error {
	if i.closed.Swap(true) {
		return nil
	}
	i.end()

	// What a cache remembers would be answered without the issuer.
	i.sinks.Forget(middleware.Revocation{Kind: middleware.KindEverything})
	if i.opened != nil {
		<-i.opened
	}
	return nil
}

// cacheSize is the number of credentials that Validator remembers, which take some
// 50 MB.
const cacheSize = 100_000

// Validator returns what APIKey, Basic and Bearer ask: the issuer, behind a cache of
// 100,000 credentials, behind the issuer's throttle. It is the same one at each call.
// For another cache or throttle, put them around the issuer, which is a
// [middleware.Validator] too.
func (i *Issuer) Validator() middleware.Validator { return i.validator() }

// guarded returns v behind a cache and the issuer's throttle. v must tell of all
// revocations.
func (i *Issuer) guarded(v middleware.Validator) middleware.Validator {
	cache, err := middleware.NewCache(v, cacheSize, &middleware.CacheConfig{AllowStale: i.cfg.AllowStale})
	if err != nil {
		panic(err) // a fault of this package
	}
	if i.cfg.Throttle == nil {
		return cache
	}
	return i.cfg.Throttle.Around(cache)
}
