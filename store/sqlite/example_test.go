package sqlite_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/sqlite"
)

// The records are in the file. A file of another kind is refused, and left as it is.
func ExampleOpen() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "auth")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	for range 2 { // as if the program were started twice
		db, err := sqlite.Open(ctx, filepath.Join(dir, "auth.db"))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(db.CreateClient(ctx, store.Client{ID: "acme"}))
		db.Close()
	}

	notes := filepath.Join(dir, "notes.txt")
	os.WriteFile(notes, []byte("These are notes, and no database. They should survive."), 0o600)
	db, err := sqlite.Open(ctx, notes)
	fmt.Println(db != nil, err != nil)
	// Output:
	// <nil>
	// the client "acme": store: exists already
	// false true
}
