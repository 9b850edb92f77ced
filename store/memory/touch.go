package memory

import (
	"context"
	"slices"
	"time"

	"github.com/authtier/authtier/store"
)

// Touch implements [store.Toucher].
func (s *Store) Touch(ctx context.Context, uses ...store.Use) error {
	return s.write(ctx, func() error {
		for _, u := range uses {
			s.touch(u)
		}
		return nil
	})
}

func (s *Store) touch(u store.Use) {
	if u.Client == "" {
		if k, ok := s.keyOf(u.ID); ok {
			k.LastUsed = later(k.LastUsed, u.At)
			s.keys[k.Digest] = k
		}
		return
	}
	c, ok := s.clients[u.Client]
	n := slices.IndexFunc(c.Secrets, func(secret store.Secret) bool { return u.ID != "" && secret.ID == u.ID })
	if !ok || n < 0 {
		return
	}
	// Readers may still use the old slice.
	c.Secrets = slices.Clone(c.Secrets)
	c.Secrets[n].LastUsed = later(c.Secrets[n].LastUsed, u.At)
	s.clients[u.Client] = c
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
