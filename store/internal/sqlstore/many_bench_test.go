package sqlstore_test

import (
	"fmt"
	"io"
	"path/filepath"
	"testing"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/services"
	"github.com/authtier/authtier/store/postgres"
	"github.com/authtier/authtier/store/sqlite"
)

// BenchmarkCreateAPIKeys creates ten thousand keys at a time, and revokes their owner.
func BenchmarkCreateAPIKeys(b *testing.B) {
	for name, open := range map[string]func() (store.Store, error){
		"sqlite": func() (store.Store, error) { return sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "a.db")) },
		"postgres": func() (store.Store, error) {
			return postgres.Open(b.Context(), services.SharedPostgres(b).Database(b, ""), &postgres.Config{AllowVolatile: true})
		},
	} {
		b.Run(name, func(b *testing.B) {
			s, err := open()
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { s.(io.Closer).Close() })
			if err := s.CreateClient(b.Context(), store.Client{ID: "c"}); err != nil {
				b.Fatal(err)
			}
			ks := make([]store.APIKey, 10_000)
			for round := 0; b.Loop(); round++ {
				for i := range ks {
					id := fmt.Sprint(round, "-", i)
					ks[i] = store.APIKey{ID: id, Client: "c", Digest: store.DigestOf(id), Owner: "ada"}
				}
				if err := s.CreateAPIKeys(b.Context(), ks...); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			if err := s.Revoke(b.Context(), store.Change{Kind: store.KindUser, ID: "ada"}); err != nil {
				b.Fatal(err)
			}
		})
	}
}
