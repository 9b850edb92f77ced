package setup_test

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/cmd/authtier/internal/setup"
	"github.com/authtier/authtier/store/sqlite"
)

// asCommand makes the test binary the command.
const asCommand = "SETUP_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) == "" {
		os.Exit(m.Run())
	}
	os.Exit(cli.Execute(context.Background(), setup.Command()))
}

// TestInitKilled kills init at random moments. The store is complete or not there, and the
// next init makes it then.
func TestInitKilled(t *testing.T) {
	began := time.Now()
	killInit(t, t.TempDir(), time.Minute) // it ends before
	took := time.Since(began)

	for range 20 {
		dir := t.TempDir()
		killInit(t, dir, rand.N(took))

		t.Chdir(dir)
		if _, err := os.Stat("auth.db"); err != nil {
			// Between the names of the two files, there is only the key file.
			os.Remove("auth.key")
			mustInit(t)
		}
		if status, _, stderr := initialize(); status != 1 {
			t.Errorf("a second init: status %d, %s", status, stderr)
		}
		openStore(t, func(db *sqlite.Store) {
			_, errClient := db.Client(t.Context(), "app")
			_, errUser := db.User(t.Context(), "user")
			keys, err := db.ListAPIKeys(t.Context(), "app", "", 2)
			if errClient != nil || errUser != nil || err != nil || len(keys) != 1 {
				t.Errorf("the store is not complete: %v, %v, %d keys, %v", errClient, errUser, len(keys), err)
			}
		})
		if _, err := os.Stat("auth.key"); err != nil {
			t.Error(err)
		}
	}
}

// killInit runs init in the folder, and kills it after the time.
func killInit(t *testing.T, dir string, after time.Duration) {
	t.Helper()
	name, err := filepath.Abs(os.Args[0])
	must(t, err)
	cmd := exec.Command(name)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), asCommand+"=1")
	must(t, cmd.Start())
	timer := time.AfterFunc(after, func() { cmd.Process.Kill() })
	cmd.Wait()
	timer.Stop()
}
