package redis

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/record"
)

// APIKey implements [store.APIKeys].
func (s *Store) APIKey(ctx context.Context, d store.Digest) (*store.APIKey, error) {
	r, err := s.hash(ctx, "apikey:"+formatDigest(d))
	// A node of the previous version drops this field when it writes a key.
	if err == nil && !r.has("addrs") {
		err = s.addFields(ctx, r, "added:apikey:"+r.text("id"))
	}
	if err != nil {
		return nil, err
	}
	return r.apiKey(d)
}

func (r *hash) apiKey(d store.Digest) (*store.APIKey, error) {
	k := store.APIKey{
		ID: r.text("id"), Name: r.textIfAny("name"), Client: r.text("client"), Digest: d, Owner: r.textIfAny("owner"),
		Created: r.timeIfAny("created"), Expires: r.time("expires"),
	}
	r.list("scopes", &k.Scopes)
	r.listIfAny("addrs", &k.Addrs)
	if r.err != nil {
		return nil, r.err
	}
	return &k, nil
}

// listedKey returns a key as a [store.Lister] does.
func (r *hash) listedKey() (*store.APIKey, error) {
	k, err := r.apiKey(store.Digest{})
	if err != nil {
		return nil, err
	}
	k.LastUsed = r.timeIfAny("used")
	return k, r.err
}

// apiKeyArgs returns the arguments that describe new keys to a script.
func apiKeyArgs(ks ...store.APIKey) []any {
	args := []any{len(ks)}
	for _, k := range ks {
		args = append(args, k.ID, k.Client, formatDigest(k.Digest), formatNames(k.Scopes),
			formatTime(k.Created), formatTime(k.Expires), k.Name, k.Owner, formatAddrs(k.Addrs))
	}
	return args
}

func formatAddrs(addrs []netip.Prefix) string {
	if len(addrs) == 0 {
		return "[]"
	}
	return formatList(addrs)
}

// CreateAPIKeys implements [store.Admin].
func (s *Store) CreateAPIKeys(ctx context.Context, ks ...store.APIKey) error {
	if err := record.CheckAPIKeys(ctx, ks, s); err != nil {
		return err
	}
	return s.change(ctx, createAPIKeys, apiKeyArgs(ks...)...)
}

// UpdateAPIKey implements [store.Admin].
func (s *Store) UpdateAPIKey(ctx context.Context, id string, f func(*store.APIKey) error) error {
	var seen *hash
	return record.Update(record.APIKeys, f, func() (k *store.APIKey, err error) {
		if seen, err = s.stored(ctx, "apikey", id); err != nil {
			return nil, err
		}
		return seen.listedKey()
	}, func(old, changed *store.APIKey) (bool, error) {
		// The script compares these fields. Touch may change the last use in between.
		read := seen.values("client", "created", "name", "scopes", "owner", "addrs", "expires")
		return s.update(ctx, "apikey", id, false, read, []any{
			"name", changed.Name, "scopes", formatNames(changed.Scopes), "owner", changed.Owner,
			"addrs", formatAddrs(changed.Addrs), "expires", formatTime(changed.Expires),
		}, added(changed.Scopes, old.Scopes)...)
	})
}

// added returns the scopes that old does not contain.
func added(scopes, old []string) (list []any) {
	for _, scope := range scopes {
		if !slices.Contains(old, scope) {
			list = append(list, scope)
		}
	}
	return list
}

// APIKeyByID implements [store.Lister].
func (s *Store) APIKeyByID(ctx context.Context, id string) (*store.APIKey, error) {
	r, err := s.stored(ctx, "apikey", id)
	if err != nil {
		return nil, err
	}
	return r.listedKey()
}

// ListAPIKeys implements [store.Lister].
func (s *Store) ListAPIKeys(ctx context.Context, client, after string, limit int) ([]store.APIKey, error) {
	return list(ctx, s, "apikey", client, after, limit, func(_ string, r *hash) (*store.APIKey, error) {
		return r.listedKey()
	})
}

// ReplaceAPIKey implements [store.Rotator].
func (s *Store) ReplaceAPIKey(ctx context.Context, id string, until time.Time, next store.APIKey) error {
	if err := record.CheckReplace(until, &next); err != nil {
		return err
	}
	args := append([]any{formatInstant(time.Now()), id, formatInstant(until)}, apiKeyArgs(next)...)
	return s.change(ctx, replaceAPIKey, args...)
}
