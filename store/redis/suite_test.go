package redis_test

import (
	"testing"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/services"
	"github.com/authtier/authtier/store/redis"
	"github.com/authtier/authtier/store/storetest"
)

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
