package storetest_test

import (
	"testing"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
	"github.com/authtier/authtier/store/storetest"
)

// The name of such a function is TestStore. It is in the tests of the package that
// implements the store, here memory.
func ExampleRun() {
	testStore := func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) store.Store { return memory.New() })
	}
	_ = testStore // go test calls it
}

// The two handles are of one store, as two processes would have them. A store in memory
// has one handle, which stands for both.
func ExampleRunShared() {
	testShared := func(t *testing.T) {
		storetest.RunShared(t, func(t *testing.T) (a, b store.Store) {
			db := memory.New()
			return db, db
		})
	}
	_ = testShared // go test calls it
}
