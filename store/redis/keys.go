package redis

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/record"
)

// A signingKey is the JSON form of a key, stored in the hash of its set.
type signingKey struct {
	Alg       string  `json:"alg"`
	Sealed    []byte  `json:"sealed"`
	Published *string `json:"published"`
	Signs     *string `json:"signs"`
	Ends      *string `json:"ends"`
}

// SigningKeys implements [store.SigningKeys].
func (s *Store) SigningKeys(ctx context.Context, set string) ([]store.SigningKey, error) {
	r, err := s.hash(ctx, "signing:"+set)
	// Redis has no empty hashes: a set without keys does not exist.
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}

	var ks []store.SigningKey
	for id, text := range r.fields {
		k, err := decodeSigningKey(text)
		if err != nil {
			return nil, fmt.Errorf("redis: the signing key %.50q in %.200q: %w", id, r.key, err)
		}
		k.Set, k.ID = set, id
		ks = append(ks, k)
	}

	// A hash has no order.
	slices.SortFunc(ks, func(a, b store.SigningKey) int {
		return cmp.Or(a.Published.Compare(b.Published), cmp.Compare(a.ID, b.ID))
	})
	return ks, nil
}

func decodeSigningKey(text string) (store.SigningKey, error) {
	var kept signingKey
	if err := json.Unmarshal([]byte(text), &kept); err != nil {
		return store.SigningKey{}, err
	}
	if kept.Published == nil || kept.Signs == nil || kept.Ends == nil {
		return store.SigningKey{}, errors.New("it lacks a time")
	}

	published, errP := parseTime(*kept.Published)
	signs, errS := parseTime(*kept.Signs)
	ends, errE := parseTime(*kept.Ends)
	return store.SigningKey{
		Alg: kept.Alg, Sealed: kept.Sealed, Published: published, Signs: signs, Ends: ends,
	}, errors.Join(errP, errS, errE)
}

// PutSigningKeys implements [store.SigningKeys].
func (s *Store) PutSigningKeys(ctx context.Context, ks ...store.SigningKey) error {
	if err := record.CheckSigningKeys(ks); err != nil {
		return err
	}
	args := []any{len(ks)}
	for _, k := range ks {
		published, signs, ends := formatTime(k.Published), formatTime(k.Signs), formatTime(k.Ends)
		args = append(args, k.Set, k.ID, ends, formatList(signingKey{k.Alg, k.Sealed, &published, &signs, &ends}))
	}
	return s.change(ctx, putSigningKeys, args...)
}
