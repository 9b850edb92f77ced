package setup_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/cmd/authtier/internal/setup"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store/sqlite"
)

// initialize runs init and returns its exit status and its output.
func initialize(args ...string) (status int, stdout, stderr string) {
	cmd := setup.Command()
	var out bytes.Buffer
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(io.Discard)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.ExecuteContext(context.Background())
	if err != nil {
		stderr = err.Error()
	}
	return cli.Status(err), out.String(), stderr
}

// TestInit makes a store, and tests that an issuer accepts each of the printed secrets.
func TestInit(t *testing.T) {
	t.Chdir(t.TempDir())
	status, stdout, stderr := initialize("--output", "json")
	if status != 0 {
		t.Fatalf("status %d: %s", status, stderr)
	}
	var made struct {
		Client struct{ ID, Secret string }
		User   struct{ Login, Password string }
		APIKey struct{ ID, Key string } `json:"api_key"`
	}
	if err := json.Unmarshal([]byte(stdout), &made); err != nil {
		t.Fatal(err)
	}

	db, err := sqlite.Open(t.Context(), "auth.db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	iss, err := issuer.Open(t.Context(), "http://127.0.0.1:8080", db, &issuer.Config{KeyFile: "auth.key"})
	if err != nil {
		t.Fatal(err)
	}
	defer iss.Close()

	for _, c := range []middleware.Credential{
		{Scheme: middleware.SchemeBasic, Username: made.Client.ID, Secret: made.Client.Secret},
		{Scheme: middleware.SchemeAPIKey, Secret: made.APIKey.Key},
	} {
		if id, err := iss.Validate(t.Context(), c); err != nil || id.Client != "app" {
			t.Errorf("%s: got %v, %v", c.Scheme, id, err)
		}
	}
	_, err = iss.Passwords().Validate(t.Context(), middleware.Credential{Scheme: middleware.SchemeBasic, Username: made.User.Login, Secret: made.User.Password})
	if err != nil {
		t.Errorf("the user: %v", err)
	}
	if k, err := db.APIKeyByID(t.Context(), made.APIKey.ID); err != nil || k.Client != "app" {
		t.Errorf("the key: got %v, %v", k, err)
	}

	mux := http.NewServeMux()
	iss.Register(mux)
	r := httptest.NewRequest("POST", "/oauth2/token", strings.NewReader("grant_type=client_credentials"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(made.Client.ID, made.Client.Secret)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"scope":"api"`) {
		t.Errorf("the token: got %d %s", w.Code, w.Body)
	}
}

// TestInitText tests that the text has each secret where it is needed, and that only the
// owner can read the files.
func TestInitText(t *testing.T) {
	t.Chdir(t.TempDir())
	status, stdout, stderr := initialize("--client", "shop", "--user", "ada", "--scope", "read write", "--issuer", "https://auth.example.com")
	if status != 0 {
		t.Fatalf("status %d: %s", status, stderr)
	}
	for _, want := range []string{"curl -u shop:authtier_cs_", "https://auth.example.com/oauth2/token", "curl -u ada:", "\nauthtier serve --issuer=https://auth.example.com    # with --tls-cert", "curl -H 'X-API-KEY: authtier_key_"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is not printed:\n%s", want, stdout)
		}
	}
	for _, name := range []string{"auth.db", "auth.key"} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: got %v, %v", name, info, err)
		}
	}
}

// TestInitOverwritesNothing runs init where something is. It must change nothing.
func TestInitOverwritesNothing(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare func(t *testing.T)
		args    []string
		status  int
		want    string
	}{
		"a second time":                          {func(t *testing.T) { mustInit(t) }, nil, 1, `clients already, such as "app"`},
		"with the key file gone":                 {func(t *testing.T) { mustInit(t); must(t, os.Remove("auth.key")) }, nil, 1, "clients already"},
		"with the store gone":                    {func(t *testing.T) { mustInit(t); must(t, os.Remove("auth.db")) }, nil, 1, "the key file auth.key exists already"},
		"a store without keys beside a key file": {func(t *testing.T) { mustInit(t); must(t, os.Remove("auth.db")); openStore(t, func(*sqlite.Store) {}) }, nil, 1, "the key file auth.key exists already"},
		"over a text":                            {func(t *testing.T) { must(t, os.WriteFile("auth.db", []byte("my diary"), 0o600)) }, nil, 1, "not a database"},
		"over a folder":                          {func(t *testing.T) { must(t, os.Mkdir("auth.db", 0o700)) }, nil, 1, "is a directory"},
		"in a folder that is not there":          {func(t *testing.T) {}, []string{"--store", "sqlite:none/auth.db"}, 1, "the folder of none/auth.db cannot be written"},
		"a key file in no folder":                {func(t *testing.T) {}, []string{"--key-file", "none/auth.key"}, 1, "the folder of none/auth.key cannot be written"},
		"with an issuer that is wrong":           {func(t *testing.T) {}, []string{"--issuer", "http://auth.example.com"}, 2, "https"},
		"with a scope that is wrong":             {func(t *testing.T) {}, []string{"--scope", `a"b`}, 2, `the scope "a\"b"`},
		"with one name for two":                  {func(t *testing.T) {}, []string{"--user", "app"}, 2, `both "app"`},
		"with a client without name":             {func(t *testing.T) {}, []string{"--client", ""}, 2, "ID"},
		"over a file that others can use":        {func(t *testing.T) { must(t, os.WriteFile("auth.db", nil, 0o644)) }, nil, 1, "run chmod 600 auth.db"},
		"with another output":                    {func(t *testing.T) {}, []string{"--output", "xml"}, 2, "expected text or json"},
		"with a password in a flag":              {func(t *testing.T) {}, []string{"--store", "postgres://app:secret@db/auth"}, 2, "AUTHTIER_STORE"},
		"with another kind of store":             {func(t *testing.T) {}, []string{"--store", "mysql://db/auth"}, 1, "expected sqlite:FILE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			tt.prepare(t)
			before := content(t)
			status, stdout, stderr := initialize(tt.args...)
			if status != tt.status || stdout != "" || !strings.Contains(stderr, tt.want) || strings.Contains(stderr, "secret@") {
				t.Errorf("got status %d, %q and %q, want %d and %q", status, stdout, stderr, tt.status, tt.want)
			}
			if after := content(t); after != before {
				t.Errorf("the folder was\n%s\nand is\n%s", before, after)
			}
		})
	}
}

// TestInitUnprinted makes the output fail. Nothing may stay whose secrets nobody has seen.
func TestInitUnprinted(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T){
		"a new store":             func(*testing.T) {},
		"a store without records": func(t *testing.T) { openStore(t, func(*sqlite.Store) {}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			prepare(t)
			cmd := setup.Command()
			cmd.SetArgs(nil)
			cmd.SetOut(full{})
			cmd.SetErr(io.Discard)
			if status := cli.Execute(t.Context(), cmd); status != 1 {
				t.Errorf("status %d, want 1", status)
			}
			mustInit(t)
		})
	}
}

// full is an output that cannot be written.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

// TestInitGoesOn runs init on a store that an interrupted init has left.
func TestInitGoesOn(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T){
		"an empty file":   func(t *testing.T) { must(t, os.WriteFile("auth.db", nil, 0o600)) },
		"without records": func(t *testing.T) { openStore(t, func(*sqlite.Store) {}) },
		"with keys alone": func(t *testing.T) {
			openStore(t, func(db *sqlite.Store) {
				iss, err := issuer.Open(t.Context(), "http://127.0.0.1:8080", db, &issuer.Config{KeyFile: "auth.key"})
				must(t, err)
				must(t, iss.Close())
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			prepare(t)
			mustInit(t)
		})
	}
}

// TestInitTwiceAtOnce runs several inits in one folder at the same time. Exactly one must
// succeed, and the others must leave its store as it is.
func TestInitTwiceAtOnce(t *testing.T) {
	t.Chdir(t.TempDir())
	var mu sync.Mutex
	var wg sync.WaitGroup
	succeeded := 0
	for range 4 {
		wg.Go(func() {
			status, _, _ := initialize()
			mu.Lock()
			defer mu.Unlock()
			if status == 0 {
				succeeded++
			}
		})
	}
	wg.Wait()

	if succeeded != 1 {
		t.Errorf("%d succeeded, want 1", succeeded)
	}
	openStore(t, func(db *sqlite.Store) {
		keys, err := db.ListAPIKeys(t.Context(), "app", "", 10)
		if err != nil || len(keys) != 1 {
			t.Errorf("got %d keys, %v", len(keys), err)
		}
	})
}

func openStore(t *testing.T, f func(*sqlite.Store)) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), "auth.db")
	must(t, err)
	f(db)
	must(t, db.Close())
}

func mustInit(t *testing.T) {
	t.Helper()
	if status, _, stderr := initialize(); status != 0 {
		t.Fatalf("init: status %d: %s", status, stderr)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// content returns the names, modes and texts of the files in the current folder, but of a
// database not the text.
func content(t *testing.T) string {
	t.Helper()
	names, err := filepath.Glob("*")
	must(t, err)
	var b strings.Builder
	for _, name := range names {
		info, err := os.Stat(name)
		must(t, err)
		text, _ := os.ReadFile(name)
		// Opening a database changes its counters.
		if bytes.HasPrefix(text, []byte("SQLite format 3")) {
			text = []byte("a database")
		}
		b.WriteString(name + " " + info.Mode().String() + " " + string(text) + "\n")
	}
	return b.String()
}
