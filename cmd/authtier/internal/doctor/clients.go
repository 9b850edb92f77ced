package doctor

import (
	"context"
	"errors"
	"time"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/store"
)

// A clientFacts is a client with the state of its credentials.
type clientFacts struct {
	*store.Client
	keys, liveKeys int
	liveSecrets    int
	namesake       bool // a user has the same name
}

func (c clientFacts) canNever() bool { return len(c.Secrets) == 0 && c.keys == 0 }

// A rule finds records of one kind. The finding is about all of them together.
type rule[T any] struct {
	level   string
	one     string // completes "1 client ..."
	many    string // completes "2 clients ..."
	do      string
	applies func(T) bool
}

var clientRules = []rule[clientFacts]{
	{warning, "has neither a secret nor an API key", "have neither a secret nor an API key",
		"give it a secret or a key, or delete it, unless tokens of another issuer stand for it",
		func(c clientFacts) bool { return !c.Disabled && c.canNever() }},
	{warning, "has only secrets and API keys that have expired", "have only secrets and API keys that have expired",
		"see authtier client rotate-secret and authtier key create",
		func(c clientFacts) bool { return !c.Disabled && !c.canNever() && c.liveSecrets+c.liveKeys == 0 }},
	{warning, "has the name of a user", "have the names of users",
		"rename one of them: resource servers cannot tell their tokens apart",
		func(c clientFacts) bool { return c.namesake }},
	{good, "is disabled", "are disabled", "",
		func(c clientFacts) bool { return c.Disabled }},
	{good, "may use no grant, and can authenticate with Basic but get no token", "may use no grant, and can authenticate with Basic but get no token", "",
		func(c clientFacts) bool { return !c.Disabled && c.liveSecrets > 0 && len(c.Grants) == 0 }},
}

// checkClients checks each client and its API keys. It holds one page of clients and one
// page of keys at a time.
func (e *examination) checkClients(ctx context.Context) error {
	f := newRecords(e)
	after, clients, keys := "", 0, 0
	for {
		list, err := e.db.ListClients(ctx, after, e.page)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			break
		}
		for _, c := range list {
			n, err := f.client(ctx, c.ID)
			if err != nil {
				return err
			}
			clients, keys = clients+1, keys+n
		}
		after = list[len(list)-1].ID
	}

	f.report()
	if clients == 0 {
		e.add(warning, "see authtier client create", "there are no clients")
	} else if !f.found {
		e.add(good, "", "%s and %s are as they should be", cli.Plural(clients, "client"), cli.Plural(keys, "API key"))
	}
	return nil
}

// client checks a client and its keys, and returns the number of its keys.
func (f *records) client(ctx context.Context, id string) (keys int, err error) {
	c, err := f.db.Client(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil // it was deleted since it was listed
	}
	if err != nil {
		return 0, err
	}

	facts := clientFacts{Client: c}
	now := f.now()
	current := *c // without the secrets that have expired, which is no fault
	current.Secrets = nil
	for _, s := range c.Secrets {
		if s.Expires.IsZero() || s.Expires.After(now) {
			facts.liveSecrets++
			current.Secrets = append(current.Secrets, s)
		}
	}
	if err := current.Check(); err != nil {
		f.invalid("client", c.ID, err)
	}

	if facts.keys, facts.liveKeys, err = f.keysOf(ctx, c); err != nil {
		return 0, err
	}
	owner, err := f.owner(ctx, c.ID)
	if err != nil {
		return 0, err
	}
	facts.namesake = owner != missing
	count(f.clients, clientRules, facts, c.ID)
	return facts.keys, nil
}

// keysOf checks the API keys of a client, and returns how many there are and how many of
// them have not expired.
func (f *records) keysOf(ctx context.Context, c *store.Client) (keys, live int, err error) {
	after := ""
	for {
		list, err := f.db.ListAPIKeys(ctx, c.ID, after, f.page)
		if err != nil || len(list) == 0 {
			return keys, live, err
		}

		for _, k := range list {
			isLive, err := f.key(ctx, &k, c)
			if err != nil {
				return keys, live, err
			}
			keys++
			if isLive {
				live++
			}
		}
		after = list[len(list)-1].ID
	}
}

// expired reports whether a time of expiry has passed.
func expired(expires, now time.Time) bool { return !expires.IsZero() && !expires.After(now) }
