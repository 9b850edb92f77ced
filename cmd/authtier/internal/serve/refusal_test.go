package serve_test

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/authtier/authtier/store/sqlite"
)

// wantRefusal runs the command. It checks the status, that one line on standard error has
// all parts, that only a wrong setting has the hint on the help after it, and that no file
// was made or removed.
func (h *home) wantRefusal(t *testing.T, status int, env, args []string, parts ...string) {
	t.Helper()
	before := h.names(t)
	got, stdout, stderr := h.run(t, env, args...)
	stderr, hint := strings.CutSuffix(stderr, "See authtier serve --help.\n")
	if got != status || stdout != "" || strings.Count(stderr, "\n") != 1 || hint != (status == 2) {
		t.Errorf("status %d, printed %q and %q, want status %d and one line", got, stdout, stderr, status)
	}
	for _, part := range parts {
		if !strings.Contains(stderr, part) {
			t.Errorf("%q is not in %q", part, stderr)
		}
	}
	if after := h.names(t); !slices.Equal(before, after) {
		t.Errorf("the folder had %v and has %v", before, after)
	}
}

// A wrong flag or variable is named, and nothing is opened: the folder is empty.
func TestWrongSettings(t *testing.T) {
	t.Parallel()
	const beyond, https = "--addr 0.0.0.0:0", "--issuer https://id.example.com"
	const tls = "--tls-cert cert.pem --tls-key key.pem"
	for _, tt := range []struct{ args, env, part string }{
		{"--nope", "", "--nope"},
		{"nope", "", "expected no argument"},
		{"--trusted-proxy 127.0.0.1", "", "--issuer is missing"},
		{"--trusted-proxy 0.0.0.0/0", "", "every address"},
		{"--bcrypt-cost 3", "", "--bcrypt-cost"},
		{"--bcrypt-cost 16", "", "--bcrypt-cost"},
		{"--log-level loud", "", "expected debug, info, warn or error"},
		{"--addr 127.0.0.1", "", "--addr"},
		{"--addr 127.0.0.1:x", "", "--addr"},
		{"--addr 127.0.0.1:65536", "", "--addr"},
		{"--addr=", "", "--addr"},
		{"", "AUTHTIER_ADDR=nowhere", "AUTHTIER_ADDR"},

		{beyond, "", "--tls-cert and --tls-key"},
		{"--addr :0", "", "--trusted-proxy"},
		{"--addr example.com:0", "", "--addr"},
		{"--addr 127.0.0.1.example.com:0 " + https, "", "--addr"},
		{"--addr [::]:0 " + https, "", "--addr"},
		{"", "AUTHTIER_ADDR=0.0.0.0:0", "AUTHTIER_ADDR"},
		{beyond + " --trusted-proxy 10.0.0.1", "", "--issuer is missing"},
		{beyond + " --trusted-proxy 10.0.0.1 --issuer http://127.0.0.1:8080", "", "--issuer"},
		{beyond + " " + tls, "", "--issuer is missing"},
		{tls + " --issuer http://127.0.0.1:8080", "", "--issuer"},
		{"--tls-cert cert.pem", "", "--tls-key"},
		{"--tls-key key.pem", "", "--tls-cert"},
		{"", "AUTHTIER_TLS_KEY=key.pem", "AUTHTIER_TLS_KEY"},

		{"--trusted-proxy 10.0.0.300", "", "--trusted-proxy"},
		{"--trusted-proxy 0.0.0.0/0", "", "--trusted-proxy"},
		{"--trusted-proxy 10.0.0.1/8", "", "--trusted-proxy"},
		{"--trusted-proxy ::ffff:10.0.0.0/104", "", "--trusted-proxy"},
		{"--trusted-proxy fe80::1%eth0", "", "--trusted-proxy"},
		{"", "AUTHTIER_TRUSTED_PROXY=10.0.0.1,x", "AUTHTIER_TRUSTED_PROXY"},

		{"--issuer http://id.example.com", "", "--issuer"},
		{"--issuer https://id.example.com/", "", "--issuer"},
		{"--issuer https://id.example.com?x=y", "", "--issuer"},
		{"--issuer https://id.example.com/{x}", "", "--issuer"},
		{"", "AUTHTIER_ISSUER=id.example.com", "AUTHTIER_ISSUER"},

		{"--metrics-addr 0.0.0.0:0", "", "--metrics-addr"},
		{"--metrics-addr 127.0.0.1", "", "--metrics-addr"},
		{"--session-timeout 999ms", "", "--session-timeout"},
		{"--session-timeout 9000h", "", "--session-timeout"},
		{"", "AUTHTIER_SESSION_TIMEOUT=5", "AUTHTIER_SESSION_TIMEOUT"},
		{"--drain-delay -1s", "", "--drain-delay"},
		{"--drain-timeout 0", "", "--drain-timeout"},
		{"--allow-password-grant=maybe", "", "--allow-password-grant"},
		{"", "AUTHTIER_ALLOW_PASSWORD_GRANT=maybe", "AUTHTIER_ALLOW_PASSWORD_GRANT"},
		{"--key-file=", "", "--key-file"},

		{"--trust-issuer nope:x", "", "auth0"},
		{"--trust-issuer auth0:example.eu.auth0.com", "", "auth0:DOMAIN,AUDIENCE"},
		{"--trust-issuer auth0:https://example.eu.auth0.com,api", "", "--trust-issuer"},
		{"--trust-issuer auth0:example.eu.auth0.com,api,more", "", "auth0:DOMAIN,AUDIENCE"},
		{"--trust-issuer entra:api", "", "entra:AUDIENCE,TENANT..."},
		{"--trust-issuer entra:api,example.com", "", "--trust-issuer"},
		{"--trust-issuer google:", "", "google:CLIENT..."},
		{"--trust-issuer https://id.example.com", "", "https://ISSUER,AUDIENCE"},
		{"--trust-issuer https://id.example.com,", "", "https://ISSUER,AUDIENCE"},
		{"--trust-issuer http://id.example.com,api", "", "--trust-issuer"},
		{"--trust-issuer https://id.example.com,api --trust-issuer https://id.example.com,other", "", "given twice"},
		{"--trust-issuer=", "", "--trust-issuer"},
		{"", "AUTHTIER_TRUST_ISSUER=nope", "AUTHTIER_TRUST_ISSUER"},
	} {
		t.Run(tt.args+tt.env, func(t *testing.T) {
			t.Parallel()
			h := &home{dir: t.TempDir()}
			var env []string
			if tt.env != "" {
				env = []string{tt.env}
			}
			h.wantRefusal(t, 2, env, strings.Fields(tt.args), tt.part)
		})
	}
}

// The issuer of this server needs no trust.
func TestTrustInItself(t *testing.T) {
	t.Parallel()
	newHome(t).wantRefusal(t, 2, nil, []string{"--addr", "127.0.0.1:0", "--issuer", url, "--trust-issuer", url + ",api"}, "--trust-issuer", url)
}

// Each failure says what to do, and leaves nothing behind.
func TestFailures(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	free := []string{"--addr", "127.0.0.1:0"}
	with := func(args ...string) []string { return append(args, free...) }

	for name, tt := range map[string]struct {
		prepare func(*testing.T, *home)
		args    []string
		parts   []string
	}{
		"no store":           {remove("auth.db"), free, []string{"auth.db", "authtier init"}},
		"no key file":        {remove("auth.key"), free, []string{"auth.key", "authtier init"}},
		"neither":            {both(remove("auth.db"), remove("auth.key")), free, []string{"authtier init"}},
		"a readable key":     {chmod("auth.key", 0o644), free, []string{"auth.key", "0644", "chmod 600"}},
		"a writable key":     {chmod("auth.key", 0o620), free, []string{"auth.key", "0620", "chmod 600"}},
		"a key of no sense":  {write("auth.key", "short"), free, []string{"auth.key", "32"}},
		"another key":        {write("auth.key", strings.Repeat("QUJD", 10)+"QUI="), free, []string{"does not decrypt", "--key-file"}},
		"a folder for a key": {nil, with("--key-file", "."), []string{"regular file", "--key-file"}},
		"no signing keys":    {emptyStore, free, []string{"no signing key", "authtier signing-key rotate", "--store"}},
		"a newer store":      {newerStore, free, []string{"newer authtier"}},
		"no database":        {write("auth.db", strings.Repeat("no database ", 100)), free, []string{"auth.db", "--store"}},
		"a port in use":      {nil, []string{"--addr", taken.Addr().String()}, []string{"--addr", "address already in use"}},
		"metrics in use":     {nil, with("--metrics-addr", taken.Addr().String()), []string{"--metrics-addr"}},
		"another store":      {nil, with("--store", "mysql:x"), []string{"--store", "expected sqlite:FILE"}},
		"no such server":     {nil, with("--store", "postgres://127.0.0.1:1/x?sslmode=disable"), []string{"postgres", "--store"}},
		"a wrong DSN":        {write("dsn", "postgres://ada:hidden@127.0.0.1:x/y"), with("--store-file", "dsn"), []string{"postgres", "--store"}},
		"a wrong DSN, redis": {nil, with("--store", "redis://127.0.0.1:1/x"), []string{"redis", "--store"}},
		"no DSN file":        {nil, with("--store-file", "none"), []string{"--store-file", "none"}},
		"a file for a dir":   {nil, with("--usage-dir", "auth.key"), []string{"--usage-dir"}},
		"no parent":          {nil, with("--usage-dir", "none/usage"), []string{"--usage-dir"}},
		"no TLS files":       {nil, with("--tls-cert", "none.pem", "--tls-key", "none.pem"), []string{"--tls-cert", "none.pem"}},
		"TLS files of no sense": {both(write("c.pem", "x"), write("k.pem", "y")), with("--tls-cert", "c.pem", "--tls-key", "k.pem"),
			[]string{"--tls-cert", "PEM"}},
		"no provider": {nil, with("--trust-issuer", "http://127.0.0.1:1,api"), []string{"--trust-issuer", "http://127.0.0.1:1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if runtime.GOOS == "windows" && strings.HasSuffix(name, "able key") {
				t.Skip("modes have no meaning here")
			}
			h := newHome(t)
			if tt.prepare != nil {
				tt.prepare(t, h)
			}
			h.wantRefusal(t, 1, nil, tt.args, tt.parts...)
			if _, _, stderr := h.run(t, nil, tt.args...); strings.Contains(stderr, "hidden") {
				t.Errorf("the password is shown: %s", stderr)
			}
		})
	}
}

// A folder in which no file can be made is refused at the start, not at the first count.
func TestUnwritableFolder(t *testing.T) {
	t.Parallel()
	dir := "/proc" // not even root can write there
	if runtime.GOOS != "linux" {
		dir = t.TempDir()
		if err := os.Chmod(dir, 0o500); err != nil || runtime.GOOS == "windows" {
			t.Skip("no folder that nobody can write to")
		}
	}
	newHome(t).wantRefusal(t, 1, nil, []string{"--addr", "127.0.0.1:0", "--usage-dir", dir}, "--usage-dir", "can write to")
}

type prepare = func(*testing.T, *home)

func remove(name string) prepare {
	return func(t *testing.T, h *home) { must(t, os.Remove(filepath.Join(h.dir, name))) }
}

func chmod(name string, mode os.FileMode) prepare {
	return func(t *testing.T, h *home) { must(t, os.Chmod(filepath.Join(h.dir, name), mode)) }
}

func write(name, text string) prepare {
	return func(t *testing.T, h *home) { must(t, os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o600)) }
}

func both(a, b prepare) prepare {
	return func(t *testing.T, h *home) { a(t, h); b(t, h) }
}

// emptyStore replaces the store by one that init has not seen.
func emptyStore(t *testing.T, h *home) {
	remove("auth.db")(t, h)
	db, err := sqlite.Open(context.Background(), filepath.Join(h.dir, "auth.db"))
	must(t, err)
	must(t, db.Close())
}

// newerStore makes the store look as if a much newer program had changed it.
func newerStore(t *testing.T, h *home) {
	db, err := sql.Open("sqlite", filepath.Join(h.dir, "auth.db"))
	must(t, err)
	_, err = db.Exec(`WITH RECURSIVE n(v) AS (VALUES(100) UNION ALL SELECT v + 1 FROM n WHERE v < 199)
		INSERT INTO authtier_migrations SELECT v, 'x', 'x', 'x' FROM n`)
	must(t, err)
	must(t, db.Close())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(fmt.Errorf("preparing the test: %w", err))
	}
}
