package doctor

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/backend"
	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/meter"
	"github.com/authtier/authtier/store/sqlite"
)

// A home is an installation without faults.
type home struct {
	file, keyFile, usageDir string
	db                      *sqlite.Store
	secrets                 []string // that no output may contain
}

func newHome(t *testing.T) *home {
	t.Helper()
	ctx, folder := t.Context(), t.TempDir()
	h := &home{file: filepath.Join(folder, "auth.db"), keyFile: filepath.Join(folder, "auth.key"), usageDir: filepath.Join(folder, "usage")}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	var err error
	h.db, err = sqlite.Open(ctx, h.file)
	must(err)
	t.Cleanup(func() { h.db.Close() })
	iss, err := issuer.New(ctx, backend.DefaultIssuer, h.db, &issuer.Config{KeyFile: h.keyFile})
	must(err)
	defer iss.Close()

	must(iss.CreateUser(ctx, store.User{Login: "ada"}, "correct horse"))
	secret, err := iss.CreateClient(ctx, store.Client{ID: "app", Scopes: []string{"read"}, Grants: []string{store.GrantClientCredentials}})
	must(err)
	key, err := iss.CreateAPIKey(ctx, store.APIKey{Client: "app", Scopes: []string{"read"}, Owner: "ada"})
	must(err)
	user, err := h.db.User(ctx, "ada")
	must(err)
	h.secrets = []string{secret, key, user.Password}

	usage, err := meter.Open(ctx, h.usageDir, h.db, nil)
	must(err)
	product, err := usage.Product("authtier", "request", "")
	must(err)
	add, err := product.Counter(int(store.DayOf(timeNow())), backend.DefaultIssuer, "app")
	must(err)
	must(add(1))
	must(usage.Close())
	return h
}

// exec runs SQL on the file of the store, to make what the store itself would refuse.
func (h *home) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+h.file+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r, err := db.Exec(statement, args...)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		t.Fatalf("%s changed %d rows, %v", statement, n, err)
	}
}

func (h *home) args(more ...string) []string {
	return append([]string{"--store", "sqlite:" + h.file, "--key-file", h.keyFile, "--usage-dir", h.usageDir}, more...)
}

// run runs the command, and returns what it prints and its exit status.
func run(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	cmd := Command()
	var out, errs bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	cmd.SetArgs(args)
	status = cli.Execute(t.Context(), cmd)
	return out.String(), errs.String(), status
}

// examine runs the command and returns what it finds besides ok.
func (h *home) examine(t *testing.T, args ...string) (found []finding, status int) {
	t.Helper()
	out, stderr, status := run(t, h.args(append(args, "--output", "json")...)...)
	var s summary
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatalf("%v: %s%s", err, out, stderr)
	}
	for _, secret := range h.secrets {
		if strings.Contains(out+stderr, secret) {
			t.Errorf("the output has a secret: %s", out)
		}
	}
	return slices.DeleteFunc(s.Findings, func(f finding) bool { return f.Level == good }), status
}

// examineWith runs the checks on a store of the test's choice.
func (h *home) examineWith(t *testing.T, change func(e *examination)) (found []finding) {
	t.Helper()
	var f backend.Flags
	cmd := &cobra.Command{}
	f.AddStore(cmd.Flags())
	f.Store, f.KeyFile, f.Issuer = "sqlite:"+h.file, h.keyFile, backend.DefaultIssuer

	e := newExamination(cmd, &f)
	e.usageDir, e.db = h.usageDir, h.db
	change(e)
	for _, c := range checks[1:] { // the first one would open another store
		e.current = c.name
		if err := c.run(e, t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return slices.DeleteFunc(e.findings, func(f finding) bool { return f.Level == good })
}

// A brokenFeed is a store whose changes cannot be read.
type brokenFeed struct{ store.Store }

func (brokenFeed) Snapshot(context.Context) ([]store.Change, store.Cursor, error) {
	return nil, store.Cursor{}, fmt.Errorf("the feed is broken")
}
