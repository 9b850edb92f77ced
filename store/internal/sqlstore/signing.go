package sqlstore

import (
	"bytes"
	"context"
	"slices"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/record"
)

// SigningKeys implements [store.SigningKeys].
func (s *Store) SigningKeys(ctx context.Context, set string) ([]store.SigningKey, error) {
	ks, err := s.signingKeys(ctx, set)
	return ks, s.wrap("reading signing keys", err)
}

func (s *Store) signingKeys(ctx context.Context, set string) ([]store.SigningKey, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	rows, err := s.read.QueryContext(ctx, `
		SELECT id, alg, sealed, published, signs, ends FROM authtier_signing_keys
		WHERE set_key = $1 ORDER BY published, id`, key(set))
	if err != nil {
		return nil, err
	}
	defer rows.Close()

	var ks []store.SigningKey
	for rows.Next() {
		var id, alg, sealed []byte
		var published, signs, ends int64
		if err := rows.Scan(&id, &alg, &sealed, &published, &signs, &ends); err != nil {
			return nil, err
		}
		ks = append(ks, store.SigningKey{
			Set: set, ID: string(id), Alg: string(alg), Sealed: sealed,
			Published: timeOf(published), Signs: timeOf(signs), Ends: timeOf(ends),
		})
	}
	return ks, rows.Err()
}

// PutSigningKeys implements [store.SigningKeys].
func (s *Store) PutSigningKeys(ctx context.Context, ks ...store.SigningKey) error {
	if err := record.CheckSigningKeys(ks); err != nil {
		return err
	}
	// The transaction may still run after the caller has stopped waiting for it.
	ks = slices.Clone(ks)
	for i := range ks {
		ks[i].Sealed = bytes.Clone(ks[i].Sealed)
	}

	return s.change(ctx, "storing signing keys", func(ctx context.Context, tx *feedTx) error {
		for _, k := range ks {
			// The end of a stored key is never removed or moved to a later time.
			_, err := tx.ExecContext(ctx, `
				INSERT INTO authtier_signing_keys (set_key, set_name, id_key, id, alg, sealed, published, signs, ends)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
				ON CONFLICT (set_key, id_key) DO UPDATE SET alg = excluded.alg, sealed = excluded.sealed,
					published = excluded.published, signs = excluded.signs, ends = CASE
						WHEN authtier_signing_keys.ends <> 0 AND (excluded.ends = 0 OR authtier_signing_keys.ends < excluded.ends)
						THEN authtier_signing_keys.ends ELSE excluded.ends END`,
				key(k.Set), []byte(k.Set), key(k.ID), []byte(k.ID), []byte(k.Alg), k.Sealed,
				micros(k.Published), micros(k.Signs), micros(k.Ends))
			if err != nil {
				return err
			}
			if err := tx.enter(ctx, store.Change{Kind: store.KindSigningKey, ID: k.ID, Until: k.Ends}); err != nil {
				return err
			}
		}
		return nil
	})
}
