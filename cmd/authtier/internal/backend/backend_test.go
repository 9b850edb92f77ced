package backend_test

import (
	"database/sql"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/backend"
	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/store/sqlite"
)

// open runs a command that opens the store, and returns its error.
func open(t *testing.T, args ...string) error {
	t.Helper()
	var f backend.Flags
	cmd := &cobra.Command{Use: "x", SilenceErrors: true, SilenceUsage: true}
	cmd.RunE = cli.Run(func(cmd *cobra.Command, _ []string) error {
		db, err := f.Open(cmd.Context(), cmd)
		if err != nil {
			return err
		}
		return db.Close()
	})
	f.AddStore(cmd.Flags())
	cmd.SetArgs(append([]string{}, args...))
	cmd.SetOut(io.Discard)
	cmd.SetErr(io.Discard)
	return cmd.ExecuteContext(t.Context())
}

// TestStoreFlag tests which stores the flag, the variable and the file may name. The error
// names the place, and never the password.
func TestStoreFlag(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "dsn")
	must(t, os.WriteFile(file, []byte("postgres://app:hunter2@127.0.0.1:1/auth?sslmode=disable\n"), 0o600))
	for name, tt := range map[string]struct {
		variable string
		args     []string
		status   int
		want     string
	}{
		"an unknown scheme":          {"", []string{"--store", "mysql://db"}, 1, "--store: it names no store, expected sqlite:FILE"},
		"no scheme":                  {"", []string{"--store", "auth.db"}, 1, "--store: it names no store, expected sqlite:FILE"},
		"no file":                    {"", []string{"--store", "sqlite:"}, 1, "--store: the file is missing"},
		"empty":                      {"", []string{"--store", ""}, 1, "--store: it names no store, expected"},
		"a password":                 {"", []string{"--store", "postgres://app:hunter2@db/auth"}, 2, "a password on the command line"},
		"a password in a parameter":  {"", []string{"--store", "redis://db/0?master_name=m&password=hunter2"}, 2, "a password on the command line"},
		"a password before a fault":  {"", []string{"--store", "postgres://app:hunter2%@db/auth"}, 2, "a password on the command line"},
		"a password with a slash":    {"", []string{"--store", "postgres://app:12/hunter2@db/auth"}, 2, "a password on the command line"},
		"not a URL":                  {"", []string{"--store", "postgres://db:x/auth"}, 1, "--store: it is not a URL"},
		"a password of no URL":       {"", []string{"--store", "host=db password=hunter2"}, 1, "expected sqlite:FILE"},
		"an unknown scheme, set":     {"mysql://app:hunter2@db", nil, 1, "AUTHTIER_STORE: it names no store, expected sqlite:FILE"},
		"a password in the variable": {"postgres://app:hunter2@127.0.0.1:1/auth?sslmode=disable", nil, 1, "127.0.0.1"},
		"a password in the file":     {"", []string{"--store-file", file}, 1, "127.0.0.1"},
		"a file that is missing":     {"", []string{"--store-file", filepath.Join(dir, "none")}, 1, "--store-file: open"},
		"a flag and a file":          {"", []string{"--store", "sqlite:a.db", "--store-file", file}, 2, "--store and --store-file are both set"},
		"a variable and a file":      {"sqlite:a.db", []string{"--store-file", file}, 1, "127.0.0.1"},
		"plain text to another host": {"postgres://app:hunter2@192.0.2.1/auth?sslmode=disable", nil, 1, "see --allow-plaintext-store"},
		"the flag wins":              {"mysql://db", []string{"--store", "sqlite:" + filepath.Join(dir, "none.db")}, 1, "run authtier init"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("AUTHTIER_STORE", tt.variable)
			err := open(t, tt.args...)
			if cli.Status(err) != tt.status || err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter") {
				t.Errorf("got status %d, %v, want %d and %q", cli.Status(err), err, tt.status, tt.want)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(dir, "none.db")); err == nil {
		t.Error("a store was made")
	}
}

// TestOpenVersions opens stores of each version. Only those that this program understands
// and need no change are opened.
func TestOpenVersions(t *testing.T) {
	for name, tt := range map[string]struct{ change, want string }{
		"as it is":        {``, ""},
		"older":           {`DELETE FROM authtier_migrations WHERE version = (SELECT max(version) FROM authtier_migrations)`, "run authtier migrate up"},
		"one newer":       {newer(1), ""},
		"two newer":       {newer(2), "run a newer authtier"},
		"without version": {`DROP TABLE authtier_migrations`, "run authtier init"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "auth.db")
			db, err := sqlite.Open(t.Context(), file)
			must(t, err)
			must(t, db.Close())
			raw, err := sql.Open("sqlite", file)
			must(t, err)
			_, err = raw.Exec(tt.change)
			must(t, errors.Join(err, raw.Close()))

			err = open(t, "--store", "sqlite:"+file)
			if (tt.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// newer adds migrations that this program does not know.
func newer(n int) string {
	return strings.Repeat(`INSERT INTO authtier_migrations SELECT max(version)+1, 'later', 'x', '' FROM authtier_migrations;`, n)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestUsageDir tests that each SQLite file has a folder of its own.
func TestUsageDir(t *testing.T) {
	for args, want := range map[string]string{
		"": "auth.db.usage", "--store sqlite:b.db": "b.db.usage", "--store sqlite:/var/lib/x/auth.db": "/var/lib/x/auth.db.usage",
		"--store sqlite:data": "data.usage", "--store postgres://db/auth": "auth.usage", "--store sqlite:b.db --usage-dir u": "u",
	} {
		var f backend.Flags
		cmd := &cobra.Command{Use: "x"}
		f.AddStore(cmd.Flags())
		f.AddUsageDir(cmd.Flags())
		must(t, cmd.ParseFlags(strings.Fields(args)))
		if got, err := f.UsageDir(cmd); got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", args, got, err, want)
		}
	}
}
