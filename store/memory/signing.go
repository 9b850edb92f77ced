package memory

import (
	"cmp"
	"context"
	"slices"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/record"
)

// SigningKeys implements [store.SigningKeys].
func (s *Store) SigningKeys(ctx context.Context, set string) ([]store.SigningKey, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()

	var ks []store.SigningKey
	for _, k := range s.signing {
		if k.Set == set {
			k.Sealed = slices.Clone(k.Sealed)
			ks = append(ks, k)
		}
	}

	slices.SortFunc(ks, func(a, b store.SigningKey) int {
		return cmp.Or(a.Published.Compare(b.Published), cmp.Compare(a.ID, b.ID))
	})
	return ks, nil
}

// PutSigningKeys implements [store.SigningKeys].
func (s *Store) PutSigningKeys(ctx context.Context, ks ...store.SigningKey) error {
	if err := record.CheckSigningKeys(ks); err != nil {
		return err
	}
	return s.write(ctx, func() error {
		for _, k := range ks {
			k.Sealed = slices.Clone(k.Sealed)
			// The end of a stored key is never removed or moved to a later time.
			if old := s.signing[[2]string{k.Set, k.ID}].Ends; !old.IsZero() && (k.Ends.IsZero() || old.Before(k.Ends)) {
				k.Ends = old
			}
			s.signing[[2]string{k.Set, k.ID}] = k
			s.revoke(store.Change{Kind: store.KindSigningKey, ID: k.ID, Until: k.Ends})
		}
		return nil
	})
}
