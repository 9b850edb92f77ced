package redis

import (
	"context"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/record"
)

// A secret is the JSON form of a client's secret. Old records lack the members that are
// omitted if empty.
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
func (r *hash) secrets() (secrets []store.Secret) {
	var list []secret
	r.list("secrets", &list)
	for _, kept := range list {
		d, errD := parseDigest(kept.Digest)
		created, errC := parseTime(kept.Created)
		expires, errE := parseTime(kept.Expires)
		if errD != nil || errC != nil || errE != nil {
			r.fail("secrets", "is not a list of secrets")
		}
		secrets = append(secrets, store.Secret{ID: kept.ID, Digest: d, Created: created, Expires: expires})
	}
	return secrets
}

// SecretsOf implements [store.Lister].
func (s *Store) SecretsOf(ctx context.Context, client string) ([]store.Secret, error) {
	r, err := s.hash(ctx, "client:"+client)
	if err != nil {
		return nil, err
	}
	secrets := r.secrets()
	if r.lastUses(secrets); r.err != nil {
		return nil, r.err
	}
	return secrets, nil
}

// lastUses prepares secrets for a listing: it removes their digests and sets the times
// of their last use.
func (r *hash) lastUses(secrets []store.Secret) {
	for n := range secrets {
		secrets[n].Digest = store.Digest{}
		secrets[n].LastUsed = r.timeIfAny("used:" + secrets[n].ID)
	}
}

// AddSecret implements [store.Rotator].
func (s *Store) AddSecret(ctx context.Context, client string, added store.Secret) error {
	if err := added.Check(); err != nil {
		return err
	}
	return s.addSecret(ctx, client, added, time.Time{})
}

// ReplaceSecrets implements [store.Rotator].
func (s *Store) ReplaceSecrets(ctx context.Context, client string, added store.Secret, until time.Time) error {
	if err := record.CheckReplaceSecrets(until, &added); err != nil {
		return err
	}
	return s.addSecret(ctx, client, added, until)
}

// addSecret adds a secret. If others is not zero, the other secrets expire at that time.
func (s *Store) addSecret(ctx context.Context, client string, added store.Secret, others time.Time) error {
	return s.change(ctx, addSecret, client, formatInstant(time.Now()), formatTime(others), formatList(keptSecret(added)))
}

// DeleteSecret implements [store.Rotator].
func (s *Store) DeleteSecret(ctx context.Context, client, id string) error {
	return s.change(ctx, deleteSecret, client, id)
}
