// Package program runs an example as a user does, in its own process and folder. All
// examples listen on the same port, so their tests take turns.
package program

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// URL is the address of every example.
const URL = "http://127.0.0.1:8080"

// turn is the address on which the test listens whose example may use the port of URL.
const turn = "127.0.0.1:8079"

const variable = "AUTHTIER_EXAMPLE"

// Main runs the example in a process that Start has started, and the tests in any
// other. TestMain of an example calls it.
func Main(m *testing.M, example func()) {
	if os.Getenv(variable) != "" {
		example()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A Process is a running example.
type Process struct {
	cmd   *exec.Cmd
	ended <-chan error
	once  sync.Once

	mu     sync.Mutex
	output bytes.Buffer
}

// Write implements [io.Writer] for the output of the example.
func (p *Process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.Write(b)
}

// Output returns the output of the example so far.
func (p *Process) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

// held keeps the turn until the process ends, and with it an example that runs in
// the process.
var held net.Listener

// Turn waits until no other test process uses the port.
func Turn(t *testing.T) {
	t.Helper()
	for held == nil {
		l, err := net.Listen("tcp", turn)
		if err == nil {
			held = l
			return
		}
		select {
		case <-t.Context().Done():
			t.Fatal("no turn on the port of the examples:", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Start starts the example in dir and waits until it answers. The example ends with the
// test or by Stop. The caller must hold its Turn.
func Start(t *testing.T, dir string) *Process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &Process{cmd: exec.Command(self)}
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = dir, append(os.Environ(), variable+"=1"), p, p
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- p.cmd.Wait() }()
	p.ended = ended
	t.Cleanup(p.Stop)

	Await(t, ended)
	return p
}

// Await waits until the port answers. ended receives the error of a program that ended
// before.
func Await(t *testing.T, ended <-chan error) {
	t.Helper()
	for deadline := time.After(20 * time.Second); ; {
		if conn, err := net.Dial("tcp", strings.TrimPrefix(URL, "http://")); err == nil {
			conn.Close()
			return
		}
		select {
		case err := <-ended:
			t.Fatal("the example has ended:", err)
		case <-deadline:
			t.Fatal("the example does not answer")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Stop kills the example, as a user does with Ctrl-C. It may be called twice.
func (p *Process) Stop() {
	p.cmd.Process.Kill()
	p.once.Do(func() { <-p.ended })
}

// Handler passes requests on to the running example, for tests that need a handler.
func Handler(t *testing.T) http.Handler {
	t.Helper()
	target, err := url.Parse(URL)
	if err != nil {
		t.Fatal(err)
	}
	return httputil.NewSingleHostReverseProxy(target)
}

// Request sends a request with header lines, each "Name: value", and returns status
// and body as "200 hello".
func Request(t *testing.T, method, path, body string, lines ...string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}

	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(answer.StatusCode, " ", strings.TrimSpace(string(b)))
}
