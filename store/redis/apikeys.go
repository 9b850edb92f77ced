package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/authtier/authtier/store"
)

var errNoID = errors.New("redis: an API key or secret without an ID")

// APIKey implements [store.APIKeys].
func (s *Store) APIKey(ctx context.Context, d store.Digest) (*store.APIKey, error) {
	r, err := s.record(ctx, "apikey:"+formatDigest(d))
	if err != nil {
		return nil, err
	}
	return r.apiKey(d)
}

func (r *record) apiKey(d store.Digest) (*store.APIKey, error) {
	k := store.APIKey{
		ID: r.text("id"), Client: r.text("client"), Digest: d, Created: r.timeIfAny("created"), Expires: r.time("expires"),
	}
	r.list("scopes", &k.Scopes)
	if r.err != nil {
		return nil, r.err
	}
	return &k, nil
}

// APIKeyByID implements [store.Lister].
func (s *Store) APIKeyByID(ctx context.Context, id string) (*store.APIKey, error) {
	ks, err := s.apiKeys(ctx, "id", id)
	if err == nil && len(ks) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &ks[0], nil
}

// APIKeysOf implements [store.Lister].
func (s *Store) APIKeysOf(ctx context.Context, client string) ([]store.APIKey, error) {
	ks, err := s.apiKeys(ctx, "client", client)
	slices.SortFunc(ks, func(a, b store.APIKey) int { return strings.Compare(a.ID, b.ID) })
	return ks, err
}

func (s *Store) apiKeys(ctx context.Context, by, name string) (ks []store.APIKey, err error) {
	reply, err := s.run(ctx, listAPIKeys, by, name)
	if err != nil {
		return nil, err
	}
	found, _ := reply.([]any)
	for _, item := range found {
		pair, ok := item.([]any)
		if !ok || len(pair) != 2 {
			return nil, fmt.Errorf("redis: a script returned %v", reply)
		}
		digest, _ := pair[0].(string)
		r := s.listed("apikey:"+digest, pair[1])
		d, err := parseDigest(digest)
		if err != nil {
			return nil, fmt.Errorf("redis: an API key of %s %.200q: %w", by, name, err)
		}
		k, err := r.apiKey(d)
		if err != nil {
			return nil, err
		}
		if k.LastUsed = r.timeIfAny("used"); r.err != nil {
			return nil, r.err
		}
		ks = append(ks, *k)
	}
	return ks, nil
}

// listed returns the record of that name, of which a script returned the fields.
func (s *Store) listed(name string, reply any) *record {
	r := &record{key: s.prefix + name, fields: map[string]string{}}
	pairs, _ := reply.([]any)
	for pair := range slices.Chunk(pairs, 2) {
		field, _ := pair[0].(string)
		r.fields[field], _ = pair[len(pair)-1].(string)
	}
	return r
}

// keyArgs are the arguments from which a script takes a key.
func keyArgs(k store.APIKey) []any {
	return append([]any{k.ID, k.Client, formatDigest(k.Digest)}, fields(
		"id", k.ID, "client", k.Client, "scopes", formatList(k.Scopes),
		"created", formatTime(k.Created), "expires", formatTime(k.Expires))...)
}

// PutAPIKey implements [store.Admin].
func (s *Store) PutAPIKey(ctx context.Context, k store.APIKey) error {
	if k.ID == "" {
		return errNoID
	}
	return s.change(ctx, putAPIKey, keyArgs(k)...)
}

// ReplaceAPIKey implements [store.Rotator].
func (s *Store) ReplaceAPIKey(ctx context.Context, id string, until time.Time, next store.APIKey) error {
	if next.ID == "" {
		return errNoID
	}
	return s.change(ctx, replaceAPIKey, append([]any{formatInstant(time.Now()), id, formatInstant(until)}, keyArgs(next)...)...)
}
