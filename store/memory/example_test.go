package memory_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

func ExampleNew() {
	ctx, db := context.Background(), memory.New()
	acme := store.Client{ID: "acme", Scopes: []string{"reports:read"}, Default: []string{"reports:read"}}

	fmt.Println(db.CreateClient(ctx, acme))
	fmt.Println(errors.Is(db.CreateClient(ctx, acme), store.ErrExists))

	for _, id := range []string{"acme", "globex"} {
		client, err := db.Client(ctx, id)
		if errors.Is(err, store.ErrNotFound) { // any other error is a failure of the store
			fmt.Println(id, "is unknown")
			continue
		}
		fmt.Println(client.ID, client.Scopes, err)
	}
	// Output:
	// <nil>
	// true
	// acme [reports:read] <nil>
	// globex is unknown
}
