package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestApache runs Apache with mod_auth_openidc as a resource server. It sends no
// token_type_hint, and admits every token that introspection calls active.
func TestApache(t *testing.T) {
	w := sharedDemo(t)
	apache := startApache(t, w.url)
	granted := w.oauth2Grant()
	access, revoked := granted.text("access_token"), w.clientToken("files")
	if a := w.do("POST", "/oauth2/revoke", basic("demo-client", "demo-secret"), form("token", revoked)); a.status != 200 {
		t.Fatalf("revocation: got %d %s", a.status, a.body)
	}

	for _, tt := range []struct {
		name, token string
		status      int
		user        string
	}{
		{"an access token", access, 200, userLogin},
		{"a client's access token", w.clientToken("base"), 200, "demo-client"},
		{"a refresh token", granted.text("refresh_token"), 401, ""},
		{"a revoked access token", revoked, 401, ""},
		{"an access token of another system", w.partnerToken("demo-partner", "onboarding"), 401, ""},
		{"an access token with another signature", access[:len(access)-10] + "AAAAAAAAAA", 401, ""},
		{"garbage", "garbage", 401, ""},
		{"an empty token", "", 401, ""},
	} {
		a := apache.do("GET", "/private", bearer(tt.token))
		if user := a.header.Get("Admitted-User"); a.status != tt.status || user != tt.user {
			t.Errorf("%s: got %d and user %q, want %d and %q", tt.name, a.status, user, tt.status, tt.user)
		}
	}
}

// startApache runs an Apache that introspects tokens at the demo at url. It is a single
// process with a folder of its own, and ends with the test.
func startApache(t *testing.T, url string) *wire {
	t.Helper()
	const modules = "/usr/lib/apache2/modules/" // where Debian has them
	program, err := exec.LookPath("apache2")
	if err != nil {
		program = "/usr/sbin/apache2" // a user's PATH may lack that folder
	}
	for _, file := range []string{program, modules + "mod_auth_openidc.so"} {
		if _, err := os.Stat(file); err != nil {
			unavailable(t, "Apache: %v", err)
		}
	}

	// Another process may take the port before Apache does.
	for range 10 {
		if w := tryApache(t, program, url); w != nil {
			return w
		}
	}
	t.Fatal("Apache found no free port")
	return nil
}

// tryApache returns nil if Apache found its port in use.
func tryApache(t *testing.T, program, url string) *wire {
	t.Helper()
	config, err := filepath.Abs("testdata/clients/httpd.conf")
	if err != nil {
		t.Fatal(err)
	}
	folder, addr := t.TempDir(), freeAddr(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	cmd := exec.CommandContext(ctx, program, "-X", "-f", config) // -X: a single process
	cmd.Env = append(os.Environ(), "ADDR="+addr, "URL="+url, "FOLDER="+folder)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second // before it is killed
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}

	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		cancel()
		<-ended
		if log, _ := os.ReadFile(filepath.Join(folder, "error.log")); t.Failed() {
			t.Logf("the log of Apache:\n%s%s", &output, log)
		}
	})

	// Apache writes its process ID once it listens.
	for {
		if _, err := os.Stat(filepath.Join(folder, "httpd.pid")); err == nil {
			return &wire{t: t, url: "http://" + addr, addr: addr}
		}
		select {
		case <-ended:
			if strings.Contains(output.String(), "Address already in use") {
				return nil
			}
			t.Fatal("Apache did not start")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// freeAddr returns an address on loopback that was free a moment ago.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
