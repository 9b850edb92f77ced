package nodes

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/store/sqlite"
)

// childKeyFolder is the environment variable of a child process that opens an issuer
// with a key file in that folder.
const childKeyFolder = "AUTHTIER_NODE_KEY_FOLDER"

// openInKeyFolder opens the store of a folder, and an issuer on it.
func openInKeyFolder(ctx context.Context, dir string) error {
	db, err := sqlite.Open(ctx, filepath.Join(dir, "auth.db"))
	if err != nil {
		return err
	}
	defer db.Close()
	iss, err := issuer.Open(ctx, "https://id.example", db, &issuer.Config{KeyFile: filepath.Join(dir, "keys", "auth.key")})
	if err != nil {
		return err
	}
	return iss.Close()
}

// TestKeyFileOfAKilledNode kills a node as soon as the folder of its key file shows
// that it has reached a step. Whatever the node has done by then, the next start must
// work, and must find the key of the store.
func TestKeyFileOfAKilledNode(t *testing.T) {
	seen := func(suffix string) func(keys string) bool {
		return func(keys string) bool {
			entries, err := os.ReadDir(keys)
			return err != nil || slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return strings.HasSuffix(e.Name(), suffix) })
		}
	}
	for name, reached := range map[string]func(keys string) bool{
		"a temporary file": seen(".new"), "the key file": seen(".key"), "the end": func(string) bool { return false },
	} {
		for range 3 {
			dir := t.TempDir()
			keys := filepath.Join(dir, "keys")
			must(t, os.Mkdir(keys, 0o700))
			db, err := sqlite.Open(t.Context(), filepath.Join(dir, "auth.db"))
			must(t, err)

			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), childKeyFolder+"="+dir)
			must(t, child.Start())
			var dead atomic.Bool
			ended := make(chan struct{})
			go func() {
				child.Wait() // the error is that it was killed
				dead.Store(true)
				close(ended)
			}()
			for !dead.Load() && !reached(keys) {
			}
			child.Process.Kill() // the error is that it has ended
			<-ended

			for range 2 {
				if err := openInKeyFolder(t.Context(), dir); err != nil {
					t.Errorf("killed at %s: %v", name, err)
				}
			}
			signing, err := db.SigningKeys(t.Context(), "authtier")
			must(t, err)
			if entries, err := os.ReadDir(keys); err != nil || len(entries) != 1 || len(signing) != 1 {
				t.Errorf("killed at %s: left in the folder: %v, %v, and %d signing keys", name, entries, err, len(signing))
			}
			must(t, db.Close())
		}
	}
}
