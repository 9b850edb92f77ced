package importing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/authtier/authtier/cmd/authtier/internal/backend"
	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/store"
)

// keys imports API keys.
type keys struct {
	db        backend.Store
	iss       *issuer.Issuer
	allowWeak bool
}

// A keyRecord is an API key, and which columns the file has.
type keyRecord struct {
	store.APIKey
	secret                        string // the column that has the key: key or sha256
	hasScopes, hasName, hasExpiry bool
}

func (k *keys) Close() error { return k.iss.Close() }

func (k *keys) columns() columns {
	return columns{
		known:    []string{"id", "client", "key", "sha256", "scopes", "name", "expires"},
		required: []string{"id", "client"},
		oneOf:    []string{"key", "sha256"},
	}
}

func (k *keys) names(r *keyRecord) []unique {
	return []unique{{'i', "id", r.ID}, {'d', r.secret, string(r.Digest[:])}}
}

// parse implements kind.
func (k *keys) parse(f fields) (r keyRecord, faults []fault) {
	r = keyRecord{hasScopes: f.has("scopes"), hasName: f.has("name"), hasExpiry: f.has("expires")}
	for _, column := range []string{"id", "client"} {
		switch value := f.get(column); {
		case value == "":
			faults = append(faults, fault{column, "it is empty, expected an ID"})
		case cli.IsSecret(value):
			faults = append(faults, fault{column, "it looks like a key, expected an ID, which may be shown and logged: perhaps the columns are swapped"})
		}
	}
	if len(faults) > 0 {
		return r, faults
	}
	if faults = k.secret(&r, f); len(faults) > 0 {
		return r, faults
	}

	// A field shares its memory with the whole row, which has the key.
	r.ID, r.Client, r.Name = strings.Clone(f.get("id")), strings.Clone(f.get("client")), strings.Clone(f.get("name"))
	r.Scopes = scopesOf(f.get("scopes"))
	if faults = faultsOf(r.Check()); len(faults) > 0 {
		return r, faults
	}

	var problem string
	if r.Expires, problem = expiryOf(f.get("expires")); problem != "" {
		return r, []fault{{"expires", problem}}
	}
	return r, nil
}

// secret sets the digest of the key, and the time of its creation.
func (k *keys) secret(r *keyRecord, f fields) []fault {
	key, sum := f.get("key"), f.get("sha256")
	switch {
	case key == "" && sum == "":
		return []fault{{"key or sha256", "both are empty, expected one of them"}}
	case key != "" && sum != "":
		return []fault{{"key or sha256", "both are filled, expected one of them"}}
	case key != "":
		r.secret = "key"
		record, err := k.iss.ImportAPIKey(issuer.ImportedKey{ID: f.get("id"), Client: f.get("client"), Key: key, AllowWeak: k.allowWeak})
		if err != nil {
			return secretFaults("key", err)
		}
		r.Digest, r.Created = record.Digest, record.Created
		return nil
	}

	r.secret = "sha256"
	d, err := store.ParseDigest(sum)
	switch {
	case err != nil:
		return secretFaults("sha256", err)
	case d == store.DigestOf(f.get("id")):
		return []fault{{"sha256", "the key equals its ID, which may be shown and logged"}}
	}
	r.Digest, r.Created = d, time.Now().UTC().Truncate(time.Microsecond)
	return nil
}

// secretFaults returns errors that do not repeat the secret, in the words of the command.
func secretFaults(column string, err error) (faults []fault) {
	words := strings.NewReplacer("AllowWeak is set", "--allow-weak is given", "store: ParseDigest: ", "it has ")
	for _, e := range parts(err) {
		faults = append(faults, fault{column, words.Replace(e.Error())})
	}
	return faults
}

// expiryOf reads a time of expiry. The zero time means never, and is therefore refused.
func expiryOf(s string) (t time.Time, problem string) {
	if s == "" {
		return t, ""
	}
	t, err := cli.ParseTime(s)
	if err != nil || t.IsZero() {
		return t, "it is not a time, expected a time such as 2030-01-31T12:00:00Z, a date such as 2030-01-31, or nothing"
	}
	return t, ""
}

// expired returns a fault if a key has expired. The key may have been imported before.
func expired(r *keyRecord) []fault {
	if r.Expires.IsZero() || r.Expires.After(time.Now()) {
		return nil
	}
	return []fault{{"expires", fmt.Sprintf("it is %s, which is past, expected a time in the future", r.Expires.Format(time.RFC3339))}}
}

// creatable implements kind.
func (k *keys) creatable(ctx context.Context, batch []*entry[keyRecord]) error {
	clients := map[string]*store.Client{} // nil if there is none
	for _, e := range batch {
		id := e.record.Client
		if _, known := clients[id]; !known {
			c, err := k.db.Client(ctx, id)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			clients[id] = c
		}

		if e.late = expired(&e.record); len(e.late) == 0 {
			e.late = clientFaults(&e.record, clients[id])
		}
	}
	return nil
}

func clientFaults(r *keyRecord, c *store.Client) []fault {
	if c == nil {
		return []fault{{"client", "there is no client of this ID, expected one that exists: create it first"}}
	}
	for n, scope := range r.Scopes {
		if !slices.Contains(c.Scopes, scope) {
			// The scope may be a key, if the columns are swapped.
			return []fault{{"scopes", fmt.Sprintf("the client lacks scope number %d of it, expected scopes of the client: %s", n+1, strings.Join(c.Scopes, " "))}}
		}
	}
	return nil
}

// create implements kind.
func (k *keys) create(ctx context.Context, batch []*entry[keyRecord]) error {
	records := make([]store.APIKey, len(batch))
	for i, e := range batch {
		records[i] = e.record.APIKey
	}
	return k.db.CreateAPIKeys(ctx, records...)
}

// compare implements kind.
func (k *keys) compare(ctx context.Context, r *keyRecord) (verdict, error) {
	stored, err := k.db.APIKey(ctx, r.Digest)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return k.otherKey(ctx, r)
	case err != nil:
		return verdict{}, err
	case stored.ID != r.ID:
		return verdict{stored: true, faults: []fault{{r.secret, "the key is stored under another ID, expected a key that is not stored yet, or its ID"}}}, nil
	}

	var names []string
	if stored.Client != r.Client {
		names = append(names, "client")
	}
	if r.hasScopes && !sameScopes(stored.Scopes, r.Scopes) {
		names = append(names, "scopes")
	}
	if r.hasName && stored.Name != r.Name {
		names = append(names, "name")
	}
	if r.hasExpiry && !stored.Expires.Equal(r.Expires) {
		names = append(names, "expires")
	}
	return verdict{stored: true, faults: differing("key", names...)}, nil
}

// otherKey looks for a key of the same ID and of another digest.
func (k *keys) otherKey(ctx context.Context, r *keyRecord) (verdict, error) {
	_, err := k.db.APIKeyByID(ctx, r.ID)
	if errors.Is(err, store.ErrNotFound) {
		return verdict{}, nil
	}
	return verdict{stored: true, faults: []fault{{"id", "another key is stored under this ID, expected an ID that is not in use"}}}, err
}

// refused implements kind.
func (k *keys) refused(err error) fault {
	switch {
	case errors.Is(err, store.ErrRevoked):
		return fault{"", "this ID or key was revoked, replaced or deleted earlier and cannot be imported again: expected another key with another ID"}
	case errors.Is(err, store.ErrNotFound):
		return fault{"client", "there is no client of this ID, expected one that exists: create it first"}
	}
	return fault{"", "the ID or the key is in use, expected others"}
}
