package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestProcess runs the real binary.
func TestProcess(t *testing.T) {
	binary := build(t)
	for name, test := range map[string]func(*testing.T, string){
		"ends with status": testExitStatus, "port in use": testPortInUse, "introduces itself": testIntroduction,
		"signal at once": testSignalAtOnce, "signal with idle connections": testSignalWithIdle,
		"signal with a silent connection": testSignalWithSilent,
		"signal with a request in flight": testSignalInFlight, "session timeout": testSessionTimeout,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, binary)
		})
	}
}

// built builds the binary once for all tests. TestMain removes it.
var built = sync.OnceValues(func() (binary string, err error) {
	dir, err := os.MkdirTemp("", "authtier-test-")
	if err != nil {
		return "", err
	}
	binary = filepath.Join(dir, "authtier")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		return binary, fmt.Errorf("go build: %v\n%s", err, out)
	}
	return binary, nil
})

func TestMain(m *testing.M) {
	status := m.Run()
	if isBuilt.Load() {
		binary, _ := built()
		os.RemoveAll(filepath.Dir(binary))
	}
	os.Exit(status)
}

var isBuilt atomic.Bool

func build(t *testing.T) (binary string) {
	t.Helper()
	isBuilt.Store(true)
	binary, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// A process is a running demo.
type process struct {
	cmd     *exec.Cmd
	stdout  *bufio.Reader
	stderr  io.Reader
	url     string
	started time.Time
}

func startProcess(t *testing.T, binary string, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	p := &process{cmd: exec.CommandContext(ctx, binary, append([]string{"demo", "--addr", "127.0.0.1:0"}, args...)...)}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdout = bufio.NewReader(out)
	if p.stderr, err = p.cmd.StderrPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.cmd.Process.Kill() })
	line, err := p.stdout.ReadString('\n')
	m := regexp.MustCompile(`^listening on (http://127\.0\.0\.1:[1-9][0-9]*)\n$`).FindStringSubmatch(line)
	if err != nil || m == nil {
		t.Fatalf("first line is %q: %v", line, err)
	}
	p.url = m[1]
	return p
}

// signal sends the signal; ended then waits for status 0.
func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	p.started = time.Now()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

func (p *process) ended(t *testing.T) time.Duration {
	t.Helper()
	io.Copy(io.Discard, p.stdout)
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("ended with %v, want status 0", err)
	}
	return time.Since(p.started)
}

func testExitStatus(t *testing.T, binary string) {
	for _, tt := range []struct {
		args   string
		status int
	}{
		{"demo --addr 0.0.0.0:0", 2},
		{"demo --addr :0", 2},
		{"demo --addr [::]:0", 2},
		{"demo --addr 192.0.2.1:0", 2},
		{"demo --addr example.com:0", 2},
		{"demo --addr 127.0.0.1.example.com:0", 2},
		{"demo --addr 127.0.0.1", 2},
		{"demo --addr 127.0.0.1:", 2},
		{"demo --addr 127.0.0.1:65536", 2},
		{"demo --addr 127.0.0.1:-1", 2},
		{"demo --addr 127.0.0.1:x", 2},
		{"demo --addr=", 2},
		{"demo --addr", 2},
		{"demo --nope", 2},
		{"demo nope", 2},
		{"nope", 2},
		{"--nope", 2},
		{"demo --session-timeout 999ms", 2},
		{"demo --session-timeout 0", 2},
		{"demo --session-timeout -5m", 2},
		{"demo --session-timeout 5", 2},
		{"demo --session-timeout x", 2},
		{"version", 0},
		{"--help", 0},
		{"demo --help", 0},
	} {
		var stdout, stderr bytes.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, binary, strings.Fields(tt.args)...)
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		cmd.Run()
		if got := cmd.ProcessState.ExitCode(); got != tt.status {
			t.Errorf("%s: status %d, want %d", tt.args, got, tt.status)
		}
		if (stderr.Len() > 0) != (tt.status != 0) || (stdout.Len() > 0) != (tt.status == 0) {
			t.Errorf("%s: printed %q and %q", tt.args, stdout.String(), stderr.String())
		}
		if tt.args == "version" && !regexp.MustCompile(`^authtier \S+ go1\S*\n$`).MatchString(stdout.String()) {
			t.Errorf("version printed %q", stdout.String())
		}
	}
}

func testPortInUse(t *testing.T, binary string) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(binary, "demo", "--addr", taken.Addr().String())
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Run()
	if cmd.ProcessState.ExitCode() != 1 || stdout.Len() > 0 || stderr.Len() == 0 {
		t.Errorf("status %d, printed %q and %q", cmd.ProcessState.ExitCode(), stdout.String(), stderr.String())
	}
}

func testIntroduction(t *testing.T, binary string) {
	p := startProcess(t, binary)
	p.signalAfter(t, func(text string) {
		for _, credential := range []string{
			"my_api_key", "user_email@email.com", "user_password", "demo-client", "demo-secret", "demo-password",
			"demo-partner", "demo-partner-secret", "other-partner", "other-partner-secret",
		} {
			if !strings.Contains(text, credential) {
				t.Errorf("%s is not printed", credential)
			}
		}
		folder, printed := t.TempDir(), map[string]string{}
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "curl ") {
				printed[line] = runCurl(t, folder, strings.TrimSpace(line))
			}
		}
		if len(printed) != 4 {
			t.Errorf("%d curl commands, want one for each system:\n%s", len(printed), text)
		}
		for system, want := range map[string]string{
			p.url + "/public/token": `"scope":"user"`, p.url + "/oauth2/token": `"scope":"base"`,
			p.url + "/api/login": `"login":"demo"`, p.url + "/partner/": `"client_id":"demo-partner"`,
		} {
			found := false
			for line, answer := range printed {
				found = found || strings.Contains(line, system) && strings.Contains(answer, want)
			}
			if !found {
				t.Errorf("no command for %s answers %s: %q", system, want, printed)
			}
		}
		resp, err := http.Get(p.url + "/.well-known/oauth-authorization-server")
		if err != nil {
			t.Fatal(err)
		}
		if a := read(t, resp); a.text("issuer") != p.url {
			t.Errorf("issuer is %q, want %q", a.text("issuer"), p.url)
		}
	})
}

// signalAfter ends the process with SIGTERM after f has seen what was printed.
func (p *process) signalAfter(t *testing.T, f func(text string)) {
	t.Helper()
	var text strings.Builder
	for !strings.Contains(text.String(), "/partner/\n") {
		line, err := p.stdout.ReadString('\n')
		if err != nil {
			t.Fatalf("%v after %q", err, text.String())
		}
		text.WriteString(line)
	}
	f(text.String())
	p.signal(t, syscall.SIGTERM)
	p.ended(t)
}

func testSignalAtOnce(t *testing.T, binary string) {
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		for range 3 {
			p := startProcess(t, binary)
			p.signal(t, s)
			p.ended(t)
		}
	}
	p := startProcess(t, binary)
	resp, err := http.Get(p.url + "/ext/ping")
	if err != nil {
		t.Fatalf("not ready at its first line: %v", err)
	}
	read(t, resp).want(t, 200, "")
	p.signal(t, os.Interrupt)
	p.ended(t)
}

func testSignalWithIdle(t *testing.T, binary string) {
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		p := startProcess(t, binary)
		for range 3 {
			conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			io.WriteString(conn, "GET /ext/ping HTTP/1.1\r\nHost: x\r\n\r\n")
			readRaw(t, conn).want(t, 200, "")
		}
		p.signal(t, s)
		if took := p.ended(t); took > 4*time.Second {
			t.Errorf("%v: idle connections held it for %v", s, took)
		}
	}
}

// A connection that has not sent anything may not hold the process for long.
func testSignalWithSilent(t *testing.T, binary string) {
	p := startProcess(t, binary)
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	p.signal(t, syscall.SIGTERM)
	if took := p.ended(t); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

func testSignalInFlight(t *testing.T, binary string) {
	p := startProcess(t, binary)
	addr := strings.TrimPrefix(p.url, "http://")
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	const body = "grant_type=client_credentials&client_id=demo-client&client_secret=demo-secret"
	fmt.Fprintf(conn, "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"+
		"Content-Type: %s\r\nContent-Length: %d\r\n\r\n", mimeForm, len(body))
	in := bufio.NewReader(conn)
	for _, want := range []string{"HTTP/1.1 100 Continue\r\n", "\r\n"} { // the handler reads
		if line, err := in.ReadString('\n'); err != nil || line != want {
			t.Fatalf("%q, %v", line, err)
		}
	}
	io.WriteString(conn, body[:10])
	p.signal(t, syscall.SIGTERM)
	for deadline := time.Now().Add(3 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		probe, err := net.Dial("tcp", addr)
		if err != nil {
			break // it has stopped listening
		}
		probe.Close()
		if time.Now().After(deadline) {
			t.Fatal("it still listens")
		}
	}
	io.WriteString(conn, body[10:])
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatalf("the request in flight was not answered: %v", err)
	}
	a := read(t, resp)
	a.want(t, 200, "")
	if a.text("scope") != "base" {
		t.Errorf("got %s", a.body)
	}
	p.ended(t)
}

func testSessionTimeout(t *testing.T, binary string) {
	p := startProcess(t, binary, "--session-timeout", "2s")
	w := &wire{t: t, url: p.url, addr: strings.TrimPrefix(p.url, "http://")}
	s := openSession(t, w)
	s.call(w, "GET", "/api/me").want(t, 200, "")
	time.Sleep(2100 * time.Millisecond)
	if a := s.call(w, "GET", "/api/me"); a.status != 401 {
		t.Errorf("got %d %s after the timeout", a.status, a.body)
	}
	p.signal(t, syscall.SIGTERM)
	p.ended(t)
}
