package serve_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/cmd/authtier/internal/serve"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/sqlite"
)

// asCommand makes the test binary the command.
const asCommand = "SERVE_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) == "" {
		os.Exit(m.Run())
	}

	root := &cobra.Command{Use: "authtier"}
	root.AddCommand(serve.Command())
	os.Exit(cli.Execute(context.Background(), root))
}

// url is the issuer of the tests. It does not change when a server is started again.
const url = "http://127.0.0.1:8080"

// A home is a folder with a store and a key file.
type home struct {
	dir         string
	secret, key string // of the client "acme"
}

// newHome makes a store with the client acme and the user ada.
func newHome(t *testing.T) *home {
	t.Helper()
	h := &home{dir: t.TempDir()}
	db, err := sqlite.Open(t.Context(), filepath.Join(h.dir, "auth.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	iss, err := issuer.Open(t.Context(), url, db, &issuer.Config{KeyFile: filepath.Join(h.dir, "auth.key")})
	if err != nil {
		t.Fatal(err)
	}
	defer iss.Close()

	var errs [3]error
	h.secret, errs[0] = iss.CreateClient(t.Context(), store.Client{
		ID: "acme", Scopes: []string{"read", "usage:read"}, Default: []string{"read"},
		Grants: []string{store.GrantClientCredentials, store.GrantPassword, store.GrantRefreshToken},
	})
	h.key, errs[1] = iss.CreateAPIKey(t.Context(), store.APIKey{Client: "acme", Scopes: []string{"read"}})
	errs[2] = iss.CreateUser(t.Context(), store.User{Login: "ada"}, "correct horse")
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return h
}

// names returns the names of the files in the folder.
func (h *home) names(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(h.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// counted returns how many uses of /me by a client the store knows.
func (h *home) counted(t *testing.T, client string) (n int64) {
	t.Helper()
	return h.countedFor(t, url, client)
}

// countedFor returns how many uses of a client of that issuer are recorded.
func (h *home) countedFor(t *testing.T, issuer, client string) (n int64) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(h.dir, "auth.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	today := store.DayOf(time.Now())
	report, err := db.Report(t.Context(), store.Query{API: "authtier", Issuer: issuer, Client: client, From: today - 1, To: today + 1})
	if err != nil {
		t.Fatal(err)
	}
	for row, err := range report.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		n += row.Quantity
	}
	return n
}

// command returns the command, which runs in the folder and ends with the test.
func (h *home) command(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, self, append([]string{"serve"}, args...)...)
	cmd.Dir = h.dir
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AUTHTIER_") }), asCommand+"=1")
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

// run runs the command until it ends.
func (h *home) run(t *testing.T, env []string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, log bytes.Buffer
	cmd := h.command(t, env, args...)
	cmd.Stdout, cmd.Stderr = &out, &log
	cmd.Run()
	return cmd.ProcessState.ExitCode(), out.String(), log.String()
}

// A process is a running server.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	url    string
	client *http.Client
	stdout *bufio.Reader
	stderr *logged
}

// start starts a server on a free port, and waits for its first line.
func (h *home) start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, stderr: &logged{}, client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{}}}
	p.cmd = h.command(t, nil, append([]string{"--addr", "127.0.0.1:0", "--issuer", url}, args...)...)
	p.cmd.Stderr = p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.cmd.Process.Kill(); p.client.CloseIdleConnections() })

	p.stdout = bufio.NewReader(out)
	line, _ := p.stdout.ReadString('\n')
	m := regexp.MustCompile(`^listening on (https?://[0-9.]+:[1-9][0-9]*)\n$`).FindStringSubmatch(line)
	if m == nil {
		p.cmd.Wait()
		t.Fatalf("the first line is %q, on standard error %s", line, p.stderr)
	}
	p.url = m[1]
	return p
}

// A logged is a buffer that can be read while it is written.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// logged waits until the log has a text of that form, and returns its first group.
func (p *process) logged(form string) string {
	p.t.Helper()
	pattern := regexp.MustCompile(form)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if m := pattern.FindStringSubmatch(p.stderr.String()); m != nil {
			return m[1]
		}
	}
	p.t.Fatalf("%s is not in the log: %s", form, p.stderr)
	return ""
}

func (p *process) signal() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
}

// wait waits for the end of the process, which must be clean. It returns the log.
func (p *process) wait() string {
	p.t.Helper()
	rest, _ := io.ReadAll(p.stdout)
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("it ended with %v, want status 0: %s", err, p.stderr)
	}
	if len(rest) > 0 {
		p.t.Errorf("there is more on standard output: %q", rest)
	}
	return p.stderr.String()
}

// stop ends the process cleanly.
func (p *process) stop() string {
	p.t.Helper()
	p.signal()
	return p.wait()
}

// An answer is the answer to a request.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request with headers, given as pairs of name and value.
func (p *process) do(method, path, body string, headers ...string) answer {
	p.t.Helper()
	r, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	for n := 0; n+1 < len(headers); n += 2 {
		r.Header.Set(headers[n], headers[n+1])
	}
	resp, err := p.client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

func (p *process) get(path string, headers ...string) answer {
	p.t.Helper()
	return p.do("GET", path, "", headers...)
}

// want checks the status and a part of the body.
func (a answer) want(t *testing.T, status int, part string) {
	t.Helper()
	if a.status != status || !strings.Contains(a.body, part) {
		t.Errorf("got %d %s, want %d and %s", a.status, a.body, status, part)
	}
}
