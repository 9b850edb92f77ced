package doctor

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/store"
)

// records collects what is found about clients and API keys.
type records struct {
	*examination
	clients, keys []tally // by rule
	invalids      map[string]*invalids
	owners        map[string]ownerState
	found         bool // something other than ok was found
}

// An invalids holds the records of one kind that could not be created today.
type invalids struct {
	tally
	first string // the fault of the first one
}

func newRecords(e *examination) *records {
	return &records{
		examination: e, clients: make([]tally, len(clientRules)), keys: make([]tally, len(keyRules)),
		invalids: map[string]*invalids{}, owners: map[string]ownerState{},
	}
}

// count adds a record to the tally of each rule that applies to it.
func count[T any](tallies []tally, rules []rule[T], record T, name string) {
	for i, r := range rules {
		if r.applies(record) {
			tallies[i].add(name)
		}
	}
}

// invalid notes a record that could not be created today.
func (f *records) invalid(noun, name string, err error) {
	if f.invalids[noun] == nil {
		f.invalids[noun] = &invalids{first: cli.OneLine(err)}
	}
	f.invalids[noun].add(name)
}

// report adds the findings.
func (f *records) report() {
	report(f, "client", f.clients, clientRules)
	report(f, "API key", f.keys, keyRules)
	for _, noun := range []string{"client", "API key", "user"} {
		if i := f.invalids[noun]; i != nil {
			f.found = true
			f.add(warning, "correct the field, or create the record anew", "%s could not be created today (%v): %s", cli.Plural(i.n, noun), &i.tally, i.first)
		}
	}
}

func report[T any](f *records, noun string, tallies []tally, rules []rule[T]) {
	for i, r := range rules {
		t := &tallies[i]
		verb := r.many
		if t.n == 1 {
			verb = r.one
		}
		if t.n > 0 {
			f.found = f.found || r.level != good
			f.add(r.level, r.do, "%s %s (%v)", cli.Plural(t.n, noun), verb, t)
		}
	}
}

// An ownerState says what a login stands for.
type ownerState int

const (
	active ownerState = iota
	disabled
	missing
)

// mostOwners bounds the memory for owners.
const mostOwners = 10_000

// owner returns the state of a user.
func (f *records) owner(ctx context.Context, login string) (ownerState, error) {
	if known, ok := f.owners[login]; ok {
		return known, nil
	}

	u, err := f.db.User(ctx, login)
	state := active
	switch {
	case errors.Is(err, store.ErrNotFound):
		state = missing
	case err != nil:
		return 0, err
	case u.Disabled:
		state = disabled
	}
	if len(f.owners) >= mostOwners {
		clear(f.owners)
	}
	f.owners[login] = state
	return state, nil
}

// A keyFacts is an API key with the facts that the checks need.
type keyFacts struct {
	*store.APIKey
	client  *store.Client
	owner   ownerState
	expired bool
}

var keyRules = []rule[keyFacts]{
	{warning, "has expired", "have expired", "see authtier key rotate and authtier key revoke",
		func(k keyFacts) bool { return k.expired }},
	{warning, "has a scope that its client does not have", "have scopes that their clients do not have",
		"the key works without them: see authtier client update and authtier key update",
		func(k keyFacts) bool {
			return slices.ContainsFunc(k.Scopes, func(s string) bool { return !slices.Contains(k.client.Scopes, s) })
		}},
	{warning, "has an owner that is no user", "have owners that are no users",
		"see authtier key update, unless users are in a table of your own",
		func(k keyFacts) bool { return k.owner == missing }},
	{warning, "is refused because its owner is disabled", "are refused because their owners are disabled",
		"give the key another owner, or revoke it",
		func(k keyFacts) bool { return k.owner == disabled }},
}

// key checks an API key, and reports whether it has not expired.
func (f *records) key(ctx context.Context, k *store.APIKey, c *store.Client) (live bool, err error) {
	facts := keyFacts{APIKey: k, client: c, expired: expired(k.Expires, f.now())}
	if k.Owner != "" {
		if facts.owner, err = f.owner(ctx, k.Owner); err != nil {
			return false, err
		}
	}

	if err := checkKey(*k, facts.expired); err != nil {
		f.invalid("API key", k.ID, err)
	}
	count(f.keys, keyRules, facts, k.ID)
	return !facts.expired, nil
}

// checkKey returns what is wrong with a listed key apart from its expiry, which is a
// finding of its own.
func checkKey(k store.APIKey, expired bool) error {
	k.Digest = store.DigestOf("not the key") // a list has no digests
	if expired && k.Expires.After(k.Created) {
		k.Expires = time.Time{}
	}
	return k.Check()
}
