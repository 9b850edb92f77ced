package redis_test

import (
	"context"
	"fmt"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/store/redis"
)

// Each node opens the same server and namespace. It needs the same key file too.
func ExampleOpen() {
	ctx := context.Background()
	db, err := redis.Open(ctx, "rediss://app:password@redis.example.com/0", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()

	iss, err := issuer.Open(ctx, "https://api.example.com", db, &issuer.Config{KeyFile: "/etc/app/auth.key"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer iss.Close()
}
