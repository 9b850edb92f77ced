package redis_test

import (
	"os"
	"testing"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/services"
	"github.com/authtier/authtier/store/redis"
	"github.com/authtier/authtier/store/storetest"
)

func TestMain(m *testing.M) {
	goredis.SetLogger(&logging.VoidLogger{}) // it would log each refused connection
	os.Exit(m.Run())
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		return open(t, services.SharedRedis(t).DSN(), redis.Config{Namespace: services.Name()})
	})
}

func TestShared(t *testing.T) {
	storetest.RunShared(t, func(t *testing.T) (a, b store.Store) {
		dsn, cfg := services.SharedRedis(t).DSN(), redis.Config{Namespace: services.Name()}
		return open(t, dsn, cfg), open(t, dsn, cfg)
	})
}

func open(t *testing.T, dsn string, cfg redis.Config) *redis.Store {
	t.Helper()
	s, err := redis.Open(t.Context(), dsn, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
