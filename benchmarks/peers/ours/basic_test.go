package ours

import (
	"context"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/authtier/authtier/benchmarks/peers/bench"
	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// basicParty knows the password by its bcrypt hash of cost 10.
func basicParty(tb testing.TB) bench.Party {
	tb.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(bench.Password), 10)
	bench.Must(tb, err)
	v := middleware.ValidatorFunc(func(_ context.Context, c middleware.Credential) (*middleware.Identity, error) {
		if c.Username != bench.Login || bcrypt.CompareHashAndPassword(hash, []byte(c.Secret)) != nil {
			return nil, errorsx.CredentialsIncorrect
		}
		return &middleware.Identity{Issuer: bench.IssuerURL, Client: c.Username}, nil
	})
	cache, err := middleware.NewCache(v, 1000, &middleware.CacheConfig{TTL: time.Minute})
	bench.Must(tb, err)
	return bench.Party{Name: "authtier", Handler: middleware.Basic(cache, nil)(bench.Next)}
}

func TestBasic(t *testing.T)      { basicParty(t).CheckBasic(t) }
func BenchmarkBasic(b *testing.B) { basicParty(b).BenchBasic(b) }
