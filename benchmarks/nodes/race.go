package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// A node has everything that a separate process would have.
type node struct {
	db    store.Store
	iss   *issuer.Issuer
	cache *middleware.Cache
}

const (
	nodes   = 3
	atOnce  = 20 // races
	between = time.Millisecond
	giveUp  = 10 * time.Second
)

// measure runs races and returns, for each, how long after the revocation the
// credential was accepted.
func measure(ctx context.Context, kind, dsn, what string, races int, hints bool) ([]time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	keys, err := issuer.GenerateKey("EdDSA")
	if err != nil {
		return nil, err
	}
	set, err := issuer.NewKeySet(keys)
	if err != nil {
		return nil, err
	}
	var ns []*node
	for range nodes {
		db, closer, err := open(ctx, kind, dsn, hints)
		if err != nil {
			return nil, err
		}
		n := &node{db: db}
		if n.iss, err = issuer.New(ctx, "https://id.example", db, &issuer.Config{Keys: set}); err != nil {
			return nil, errors.Join(err, closer.Close())
		}
		if n.cache, err = middleware.NewCache(n.iss, 10_000, nil); err != nil {
			return nil, errors.Join(err, closer.Close())
		}
		running.Go(func() {
			n.iss.Run(ctx)
			closer.Close()
		})
		ns = append(ns, n)
	}
	time.Sleep(time.Second) // gives all nodes time to listen
	var late []time.Duration
	for len(late) < races {
		more, err := raceTogether(ctx, ns, what, min(atOnce, races-len(late)))
		if err != nil {
			return nil, err
		}
		late = append(late, more...)
	}
	return late, nil
}

func raceTogether(ctx context.Context, ns []*node, what string, n int) ([]time.Duration, error) {
	late, errs := make([]time.Duration, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { late[i], errs[i] = race(ctx, ns, i, what) })
	}
	wg.Wait()
	return late, errors.Join(errs...)
}

// race uses a credential on all nodes, revokes it on one, and returns how long
// after that it was last accepted on another.
func race(ctx context.Context, ns []*node, i int, what string) (time.Duration, error) {
	by := ns[i%len(ns)]
	c, revoke, err := by.credential(ctx, what)
	if err != nil {
		return 0, err
	}
	last := make([]time.Time, len(ns))
	errs := make([]error, len(ns))
	inUse := make(chan struct{}, len(ns))
	var users sync.WaitGroup
	for k, n := range ns {
		if n != by {
			users.Go(func() { last[k], errs[k] = n.use(ctx, c, func() { inUse <- struct{}{} }) })
		}
	}
	for range len(ns) - 1 {
		select {
		case <-inUse:
		case <-time.After(giveUp):
			return 0, fmt.Errorf("the credential is not accepted: %w", errors.Join(errs...))
		}
	}
	if err := revoke(ctx); err != nil {
		return 0, err
	}
	revoked := time.Now()
	users.Wait()
	var late time.Duration
	for _, t := range last {
		late = max(late, t.Sub(revoked))
	}
	return late, errors.Join(errs...)
}

// use uses c until it is refused, and returns when it was accepted for the last
// time.
func (n *node) use(ctx context.Context, c middleware.Credential, accepted func()) (last time.Time, err error) {
	for began := time.Now(); ; time.Sleep(between) {
		start := time.Now()
		_, err := n.cache.Validate(ctx, c)
		switch {
		case err == nil:
			if last.IsZero() {
				accepted()
			}
			last = start
		case errors.Is(err, errorsx.UnknownToken), errors.Is(err, errorsx.CredentialsIncorrect):
			return last, nil
		default:
			return last, err
		}
		if time.Since(began) > giveUp {
			return last, errors.New("still accepted after ten seconds")
		}
	}
}

// A revocation revokes a credential on the node that made it.
type revocation func(context.Context) error

// credential returns a credential and the function that revokes it.
func (n *node) credential(ctx context.Context, what string) (middleware.Credential, revocation, error) {
	id := "bench-" + rand.Text()
	none := middleware.Credential{}
	err := n.db.CreateClient(ctx, store.Client{ID: id, Scopes: []string{"a"}, Default: []string{"a"}})
	if err != nil {
		return none, nil, err
	}
	if what == "API key" {
		key, err := n.iss.CreateAPIKey(ctx, store.APIKey{Client: id})
		if err != nil {
			return none, nil, err
		}
		keyID := strings.Split(key, "_")[2]
		c := middleware.Credential{Scheme: middleware.SchemeAPIKey, Secret: key}
		revoke := func(ctx context.Context) error { return n.iss.RevokeAPIKey(ctx, keyID) }
		return c, revoke, nil
	}

	g := issuer.Grant{Client: id}
	revoke := func(ctx context.Context) error { return n.iss.RevokeClient(ctx, id) }
	if what == "user" {
		g.User, revoke = id, func(ctx context.Context) error { return n.iss.RevokeUser(ctx, id) }
		if err := n.db.CreateUsers(ctx, store.User{Login: id}); err != nil {
			return none, nil, err
		}
	}
	tokens, err := n.iss.Mint(ctx, g)
	if err != nil {
		return none, nil, err
	}
	if what == "token" {
		revoke = func(ctx context.Context) error { return n.iss.RevokeToken(ctx, tokens.AccessToken) }
	}
	return middleware.Credential{Scheme: middleware.SchemeBearer, Secret: tokens.AccessToken}, revoke, nil
}
