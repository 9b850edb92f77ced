package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
)

// A served is a running authtier serve.
type served struct {
	wire
	cmd    *exec.Cmd
	stdout io.Reader
	stderr *bytes.Buffer
}

var listening = regexp.MustCompile(`^listening on (https?://(127\.0\.0\.1:[1-9][0-9]*))\n$`)

// serveWith starts binary serve on a free port, with that change of the command, and
// waits for its first line.
func serveWith(t *testing.T, change func(*exec.Cmd), binary string, args ...string) *served {
	t.Helper()
	s := &served{cmd: exec.Command(binary, append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)...), stderr: &bytes.Buffer{}}
	s.cmd.Stderr = s.stderr
	change(s.cmd)
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.cmd.Process.Kill() })

	r := bufio.NewReader(out)
	line, err := r.ReadString('\n')
	m := listening.FindStringSubmatch(line)
	if err != nil || m == nil {
		s.cmd.Wait()
		t.Fatalf("the first line is %q, %v; on standard error:\n%s", line, err, s.stderr)
	}
	s.stdout, s.wire = r, wire{t: t, url: m[1], addr: m[2]}
	return s
}

// stop ends the server with SIGTERM and expects status 0.
func (s *served) stop(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, s.stdout)
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("ended with %v:\n%s", err, s.stderr)
	}
}

// made holds the secrets that init has printed.
type made struct {
	Client struct{ ID, Secret string }
	User   struct{ Login, Password string }
	APIKey struct{ ID, Key string } `json:"api_key"`
}

// initIn runs init in a folder.
func initIn(t *testing.T, binary, dir string, args ...string) (m made) {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"init", "--output", "json"}, args...)...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("init: %v", err)
	}
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// need skips the test if a program is missing, and with AUTHTIER_REQUIRE_SERVICES=1 fails
// it.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("AUTHTIER_REQUIRE_SERVICES") == "1" {
		t.Fatalf("%s is not installed", program)
	}
	t.Skipf("%s is not installed", program)
}
