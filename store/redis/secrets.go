package redis

import (
	"context"
	"slices"
	"time"

	"github.com/authtier/authtier/store"
)

// A secret is a client's, as it is kept. The members that may be missing are not
// in records from before there were any.
type secret struct {
	ID      string `json:"id,omitempty"`
	Digest  string `json:"digest"`
	Created string `json:"created,omitempty"`
	Expires string `json:"expires"`
}

func keptSecret(s store.Secret) secret {
	return secret{s.ID, formatDigest(s.Digest), formatTime(s.Created), formatTime(s.Expires)}
}

// secrets returns a client's secrets.
func (r *record) secrets() (secrets []store.Secret) {
	var list []secret
	r.list("secrets", &list)
	for _, kept := range list {
		d, errD := parseDigest(kept.Digest)
		created, errC := parseTime(kept.Created)
		expires, errE := parseTime(kept.Expires)
		if errD != nil || errC != nil || errE != nil {
			r.fail("secrets", "is no list of secrets")
		}
		secrets = append(secrets, store.Secret{ID: kept.ID, Digest: d, Created: created, Expires: expires})
	}
	return secrets
}

// SecretsOf implements [store.Lister].
func (s *Store) SecretsOf(ctx context.Context, client string) ([]store.Secret, error) {
	r, err := s.record(ctx, "client:"+client)
	if err != nil {
		return nil, err
	}
	secrets := r.secrets()
	for n, kept := range secrets {
		secrets[n].LastUsed = r.timeIfAny("used:" + kept.ID)
	}
	if r.err != nil {
		return nil, r.err
	}
	return secrets, nil
}

// AddSecret implements [store.Rotator].
func (s *Store) AddSecret(ctx context.Context, client string, added store.Secret, others time.Time) error {
	if added.ID == "" {
		return errNoID
	}
	return s.change(ctx, addSecret, client, formatInstant(time.Now()), formatTime(others), formatList(keptSecret(added)))
}

// DeleteSecret implements [store.Rotator].
func (s *Store) DeleteSecret(ctx context.Context, client, id string) error {
	return s.change(ctx, deleteSecret, client, id)
}

// touchBatch is how many uses one script notes, while the server waits.
const touchBatch = 200

// Touch implements [store.Toucher].
func (s *Store) Touch(ctx context.Context, uses ...store.Use) error {
	uses = slices.DeleteFunc(slices.Clone(uses), func(u store.Use) bool { return u.At.IsZero() })
	for chunk := range slices.Chunk(uses, touchBatch) {
		args := []any{len(chunk)}
		for _, u := range chunk {
			args = append(args, u.Client, u.ID, formatInstant(u.At))
		}
		if err := s.do(ctx, touch, args...); err != nil {
			return err
		}
	}
	return nil
}
