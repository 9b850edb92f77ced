package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestNginx runs nginx with the configuration of OPERATIONS.md, between a client and an
// application that prints who has sent a request.
func TestNginx(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("nginx")
	if err != nil {
		program = "/usr/sbin/nginx" // a user's PATH may lack that folder
		if _, err := os.Stat(program); err != nil {
			unavailable(t, "nginx: %v", err)
		}
	}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := r.Header
		fmt.Fprintf(w, "client=%s user=%s scope=%s issuer=%s credentials=%s%s", h.Get("Authtier-Client"), h.Get("Authtier-User"), h.Get("Authtier-Scope"), h.Get("Authtier-Issuer"), h.Get("X-Api-Key"), h.Get("Authorization"))
	}))
	defer app.Close()

	binary, dir := build(t), t.TempDir()
	init := exec.Command(binary, "init")
	init.Dir = dir
	out, err := init.Output()
	if err != nil {
		t.Fatal(err)
	}
	env := strings.Join(rememberSecrets(nil, string(out)), "\n")
	_, key, _ := strings.Cut(env, "KEY=")
	key, _, _ = strings.Cut(key, "\n")
	server := serveWith(t, func(cmd *exec.Cmd) { cmd.Dir = dir }, binary, "--trusted-proxy", "127.0.0.1", "--issuer", "https://auth.example.com")

	_, block, _ := strings.Cut(readFile(t, "../../OPERATIONS.md"), "```nginx\n")
	block, _, found := strings.Cut(block, "```")
	if !found {
		t.Fatal("the page has no configuration of nginx")
	}
	block = strings.NewReplacer("http://127.0.0.1:8080", server.url, "http://127.0.0.1:3000", app.URL).Replace(block)
	nginx := startNginx(t, program, block)

	const admitted = "client=app user= scope=api issuer=https://auth.example.com credentials="
	for _, tt := range []struct {
		name   string
		send   []option
		status int
		want   string
	}{
		{"nobody", nil, 401, ""},
		{"an unknown key", []option{header("X-Api-Key", "a guess")}, 401, ""},
		{"a name of the client's own", []option{header("Authtier-Client", "root")}, 401, ""},
		{"a key", []option{header("X-Api-Key", key)}, 200, admitted},
		{"a key and names", []option{header("X-Api-Key", key), header("Authtier-Client", "root"), header("Authtier-User", "root"), header("Authtier-Issuer", "https://evil.example.com")}, 200, admitted},
	} {
		a := nginx.do("POST", "/orders?x=1", append(tt.send, body("text/plain", "a body"))...)
		if a.status != tt.status || tt.want != "" && a.body != tt.want {
			t.Errorf("%s: got %d %s, want %d %s", tt.name, a.status, a.body, tt.status, tt.want)
		}
	}

	if a := nginx.do("GET", "/.well-known/oauth-authorization-server"); a.status != 200 || a.text("issuer") != "https://auth.example.com" {
		t.Errorf("the metadata: got %d %s", a.status, a.body)
	}
	server.stop(t)
	if a := nginx.do("GET", "/orders", header("X-Api-Key", key)); a.status != 500 {
		t.Errorf("with the server down: got %d, want 500", a.status)
	}
}

// startNginx runs nginx with the locations of one server, and returns a client of it. It
// ends with the test.
func startNginx(t *testing.T, program, locations string) *wire {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "nginx.conf")
	for range 10 { // another process may take the port before nginx does
		addr := freeAddr(t)
		config := fmt.Sprintf("daemon off; master_process off; pid %s/pid; error_log stderr;\nevents {}\nhttp { access_log off; client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;\nserver { listen %s;\n%s } }\n", dir, addr, locations)
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(program, "-c", file, "-p", dir)
		var errs strings.Builder
		cmd.Stderr = &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { cmd.Wait(); close(ended) }()

		if answers(addr, ended) {
			t.Cleanup(func() { cmd.Process.Signal(syscall.SIGTERM); <-ended })
			return &wire{t: t, url: "http://" + addr, addr: addr}
		}
		<-ended
		if !strings.Contains(errs.String(), "in use") {
			t.Fatalf("nginx ended: %s", &errs)
		}
	}
	t.Fatal("nginx found no free port")
	return nil
}

// answers waits until something listens on the address. It returns false if the process
// ends before.
func answers(addr string, ended <-chan struct{}) bool {
	for {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return true
		}
		select {
		case <-ended:
			return false
		case <-time.After(10 * time.Millisecond):
		}
	}
}
