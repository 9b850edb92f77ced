package postgres_test

import (
	"context"
	"fmt"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/store/postgres"
)

// Each node opens the same database. It needs the same key file too.
func ExampleOpen() {
	ctx := context.Background()
	db, err := postgres.Open(ctx, "postgres://app@db.example.com/auth?sslmode=verify-full", nil)
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
