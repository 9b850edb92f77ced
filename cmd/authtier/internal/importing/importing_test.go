package importing

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/sqlite"
)

// processVariable makes the test binary behave as the command.
const processVariable = "IMPORTING_TEST_PROCESS"

func TestMain(m *testing.M) {
	if os.Getenv(processVariable) != "" {
		os.Exit(execute(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// execute runs a program that has only this command.
func execute(args []string, in io.Reader, out, errs io.Writer) int {
	root := &cobra.Command{Use: "authtier", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(Command())
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	err := root.Execute()
	if err != nil {
		fmt.Fprintln(errs, "error:", err)
	}
	return cli.Status(err)
}

// A fixture is a store that commands import into.
type fixture struct {
	*sqlite.Store
	file string
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	file := filepath.Join(t.TempDir(), "auth.db")
	db, err := sqlite.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.CreateClient(t.Context(), store.Client{ID: "acme", Scopes: []string{"a", "b"}}); err != nil {
		t.Fatal(err)
	}
	return &fixture{db, file}
}

// run imports the text from standard input.
func (f *fixture) run(csv string, args ...string) (status int, out, errs string) {
	var stdout, stderr bytes.Buffer
	args = append([]string{"import"}, append(args, "--store", "sqlite:"+f.file, "-")...)
	status = execute(args, strings.NewReader(csv), &stdout, &stderr)
	return status, stdout.String(), strings.ReplaceAll(stderr.String(), "standard input: ", "")
}

// want runs an import and checks what it prints. errs has the lines of standard error
// without the last one, which must be there if the status is 1.
func (f *fixture) want(t *testing.T, status int, out, errs, csv string, args ...string) {
	t.Helper()
	gotStatus, gotOut, gotErrs := f.run(csv, args...)
	if status == 1 {
		before, last, _ := strings.Cut(gotErrs, "error: ")
		if !strings.HasSuffix(last, "faulty lines: correct the file and run the command again\n") && !strings.HasSuffix(last, "1 faulty line: correct the file and run the command again\n") {
			t.Errorf("the error is %q", last)
		}
		gotErrs = before
	}
	if gotStatus != status || gotOut != out+"\n" || gotErrs != errs {
		t.Errorf("status %d, want %d\noutput %q, want %q\nerrors\n%s\nwant\n%s", gotStatus, status, gotOut, out+"\n", gotErrs, errs)
	}
}

// plain returns the nth of the keys of the tests. All of them contain the word SECRET.
func plain(n int) string { return fmt.Sprintf("old-system-SECRET-%d", n) }

func (f *fixture) key(t *testing.T, id string) *store.APIKey {
	t.Helper()
	k, err := f.APIKeyByID(t.Context(), id)
	if err != nil {
		t.Fatalf("the key %s: %v", id, err)
	}
	return k
}

func (f *fixture) user(t *testing.T, login string) *store.User {
	t.Helper()
	u, err := f.User(t.Context(), login)
	if err != nil {
		t.Fatalf("the user %s: %v", login, err)
	}
	return u
}

func TestKeysAreStoredWithAllFields(t *testing.T) {
	f := newFixture(t)
	d := store.DigestOf(plain(2))
	csv := "\xef\xbb\xbfname,expires,scopes,sha256,key,client,id\r\n" +
		`"a, ""quoted"" name",2999-01-31,b  a,,` + plain(1) + ",acme,k1\r\n" +
		"\r\n" +
		",2999-01-31T12:00:00.1234567+01:00,," + fmt.Sprintf("%X", d[:]) + ",,acme,k2\r\n" +
		",,,," + plain(3) + ",acme,k3"
	f.want(t, 0, "3 imported, 0 already there, 0 faulty lines", "", csv, "keys")

	for n, want := range []string{`k1 acme a, "quoted" name [b a] 2999-01-31T00:00:00Z`, `k2 acme  [] 2999-01-31T11:00:00.123456Z`, `k3 acme  [] 0001-01-01T00:00:00Z`} {
		k, err := f.APIKey(t.Context(), store.DigestOf(plain(n+1)))
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprintf("%s %s %s %v %s", k.ID, k.Client, k.Name, k.Scopes, k.Expires.Format("2006-01-02T15:04:05.999999999Z07:00"))
		if got != want || k.Created.IsZero() {
			t.Errorf("got %s, created %v, want %s", got, k.Created, want)
		}
	}
	f.want(t, 0, "0 imported, 3 already there, 0 faulty lines", "", csv, "keys")
}

func TestOutputIsJSON(t *testing.T) {
	f := newFixture(t)
	csv := "id,client,key\nk1,acme," + plain(1) + "\nk2,acme,short\n"
	status, out, _ := f.run(csv, "keys", "--output", "json")
	want := "{\n  \"check\": false,\n  \"imported\": 1,\n  \"already_there\": 0,\n  \"newer_passwords\": 0,\n  \"faulty_lines\": 1\n}\n"
	if status != 1 || out != want {
		t.Errorf("status %d, output %s", status, out)
	}
}

func TestCheckStoresNothing(t *testing.T) {
	f := newFixture(t)
	f.want(t, 0, "1 imported, 0 already there, 0 faulty lines", "", "id,client,key\nk1,acme,"+plain(1)+"\n", "keys")
	csv := "id,client,key\nk1,acme," + plain(1) + "\nk2,acme," + plain(2) + "\nk3,nobody," + plain(3) + "\nk2,acme," + plain(4) + "\nk1,acme," + plain(5) + "\n"
	f.want(t, 1, "1 could be imported, 1 already there, 3 faulty lines",
		"line 4, column client: there is no client of this ID, expected one that exists: create it first\n"+
			"line 5, column id: it stands on line 3 already, expected it once\n"+
			"line 6, column id: it stands on line 2 already, expected it once\n", csv, "keys", "--check")
	if ks, err := f.ListAPIKeys(t.Context(), "", "", 10); err != nil || len(ks) != 1 {
		t.Errorf("%v are stored, %v", ks, err)
	}

	f.want(t, 0, "1 could be imported, 0 already there, 0 faulty lines", "", "login,hash\nada,\n", "users", "--check")
	if us, err := f.ListUsers(t.Context(), "", 10); err != nil || len(us) != 0 {
		t.Errorf("%v are stored, %v", us, err)
	}
}

func TestUsageErrors(t *testing.T) {
	f := newFixture(t)
	for _, args := range [][]string{
		{"keys", "--batch", "0"}, {"keys", "--batch", "10001"}, {"keys", "--output", "xml"}, {"keys", "another"}, {"clients"}, {"users", "--allow-weak"},
	} {
		if status, out, errs := f.run("id,client,key\n", args...); status != 2 || out != "" {
			t.Errorf("%q: status %d, output %q, errors %s", args, status, out, errs)
		}
	}
}

func TestFailuresBeforeTheFirstLine(t *testing.T) {
	f := newFixture(t)
	dir := t.TempDir()
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"no file", []string{"--store", "sqlite:" + f.file, filepath.Join(dir, "none.csv")}, "none.csv"},
		{"a folder", []string{"--store", "sqlite:" + f.file, dir}, dir},
		{"no store", []string{"--store", "sqlite:" + filepath.Join(dir, "none.db"), "-"}, "run authtier init"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			status := execute(append([]string{"import", "keys"}, tt.args...), strings.NewReader("id,client,key\n"), &out, &errs)
			if status != 1 || out.Len() > 0 || !strings.Contains(errs.String(), tt.want) {
				t.Errorf("status %d, output %q, errors %s", status, &out, &errs)
			}
		})
	}
}

// TestStoreFails checks that an import whose store stops to answer does not blame lines.
func TestStoreFails(t *testing.T) {
	f := newFixture(t)
	k := &keys{db: f.Store}
	f.Close()
	l := &load[keyRecord]{kind: k, out: &output{}, opts: &options{}}
	e := &entry[keyRecord]{line: 2, record: keyRecord{APIKey: store.APIKey{ID: "k1", Client: "acme", Digest: store.DigestOf("x")}}}
	if err := l.storeValid(t.Context(), []*entry[keyRecord]{e}); err == nil || len(e.faults) > 0 {
		t.Errorf("%v, faults %v", err, e.faults)
	}
}
