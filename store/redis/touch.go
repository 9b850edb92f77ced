package redis

import (
	"context"
	"slices"

	"github.com/authtier/authtier/store"
)

// touchBatch is how many uses one script notes, while the server waits.
const touchBatch = 200

// Touch implements [store.Toucher].
func (s *Store) Touch(ctx context.Context, uses ...store.Use) error {
	// A use without a time says nothing. The clone leaves the caller's slice as it is.
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
