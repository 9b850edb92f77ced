package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A throwaway is a Redis server on a socket in a folder of its own.
type throwaway struct {
	dsn string
	cmd *exec.Cmd
}

func startRedis(t *testing.T) *throwaway {
	t.Helper()
	need(t, "redis-server")
	dir, err := os.MkdirTemp("", "authtier-redis-") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	r := &throwaway{dsn: "unix://" + socket + "?db=0", cmd: exec.Command("redis-server", "--port", "0", "--unixsocket", socket,
		"--dir", dir, "--save", "", "--appendonly", "yes", "--appendfsync", "always")}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.signal(t, syscall.SIGCONT)
		r.cmd.Process.Kill()
		r.cmd.Wait()
	})

	waitFor(t, "the socket of Redis", func() bool { _, err := os.Stat(socket); return err == nil })
	return r
}

func (r *throwaway) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// waitFor polls until f is true.
func waitFor(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !f(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// serveStore runs init and serve with a store, in a folder of their own.
func serveStore(t *testing.T, dir, dsn string, args ...string) (*served, made) {
	t.Helper()
	binary := build(t)
	t.Setenv("AUTHTIER_STORE", dsn)
	m := initIn(t, binary, dir)
	return serveWith(t, func(cmd *exec.Cmd) { cmd.Dir = dir }, binary, args...), m
}

// TestStoreDown stops a Redis server without closing its connections, and lets it go on
// later.
func TestStoreDown(t *testing.T) {
	r, dir := startRedis(t), t.TempDir()
	s, m := serveStore(t, dir, r.dsn)
	key := header("X-API-KEY", m.APIKey.Key)
	s.do("GET", "/me", key).want(t, 200, "")

	r.signal(t, syscall.SIGSTOP)
	s.do("GET", "/me", key).want(t, 200, "")
	s.do("GET", "/healthz").want(t, 200, "")
	for name, a := range map[string]*answer{
		"an unknown key": s.do("GET", "/me", header("X-API-KEY", strings.Repeat("other", 5))),
		"a grant":        s.do("POST", "/oauth2/token", basic("app", m.Client.Secret), form("grant_type", "client_credentials")),
		"a login":        s.do("POST", "/api/login", basic("user", m.User.Password)),
		"readyz":         s.do("GET", "/readyz"),
	} {
		if a.status != 503 {
			t.Errorf("%s: got %d %s, want 503", name, a.status, a.body)
		}
	}

	r.signal(t, syscall.SIGCONT)
	waitFor(t, "the store", func() bool { return s.do("GET", "/readyz").status == 200 })
	s.do("POST", "/oauth2/token", basic("app", m.Client.Secret), form("grant_type", "client_credentials")).want(t, 200, "")
	s.stop(t)
	wantUses(t, dir, s.url, 2)
}

// wantUses compares the uses of /me with the report.
func wantUses(t *testing.T, dir, issuer string, want int) {
	t.Helper()
	cmd := exec.Command(build(t), "usage", "report", "--issuer", issuer, "--output", "json")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), fmt.Sprintf(`"quantity":%d,`, want)) {
		t.Errorf("want %d uses, got %s", want, out)
	}
}

// TestProviderDownAtTheStart starts a server that trusts a provider that does not answer.
func TestProviderDownAtTheStart(t *testing.T) {
	dir, binary := t.TempDir(), build(t)
	initIn(t, binary, dir)
	cmd := exec.Command(binary, "serve", "--addr", "127.0.0.1:0", "--trust-issuer", "https://127.0.0.1:1,https://api.example.com")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "127.0.0.1:1") || strings.Contains(string(out), "listening") {
		t.Errorf("got %v, %s", err, out)
	}
}

// TestDiskFull fills the disk that holds the store and the journal, and then makes space.
func TestDiskFull(t *testing.T) {
	dir := smallDisk(t)
	s, m := serveStore(t, dir, "sqlite:auth.db")
	key := header("X-API-KEY", m.APIKey.Key)
	s.do("GET", "/me", key).want(t, 200, "")

	ballast := filepath.Join(dir, "ballast")
	fill(t, ballast)
	s.do("GET", "/me", key).want(t, 200, "")
	a := s.do("POST", "/oauth2/token", basic("app", m.Client.Secret), form("grant_type", "client_credentials"))
	a.want(t, 200, "")
	s.do("GET", "/me", bearer(a.text("access_token"))).want(t, 200, "")
	waitFor(t, "a login that finds no space", func() bool {
		a := s.do("POST", "/api/login", basic("user", m.User.Password))
		return a.status == 503
	})

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a login", func() bool { return s.do("POST", "/api/login", basic("user", m.User.Password)).status == 200 })
	s.stop(t)
	wantUses(t, dir, s.url, 3)
}

// smallDisk mounts a disk of four megabytes.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=4m,mode=700"); err != nil {
		if os.Getenv("AUTHTIER_REQUIRE_SERVICES") == "1" && os.Getuid() == 0 {
			t.Fatalf("mounting a small disk: %v", err)
		}
		t.Skipf("mounting a small disk: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// fill writes a file until the disk is full.
func fill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
}

// TestKilled kills a server right after its last answer. The next one must know all uses
// and accept the tokens of the first.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("AUTHTIER_ISSUER", "http://127.0.0.1:8080")
	s, m := serveStore(t, dir, "sqlite:auth.db")
	a := s.do("POST", "/oauth2/token", basic("app", m.Client.Secret), form("grant_type", "client_credentials"))
	for range 10 {
		s.do("GET", "/me", header("X-API-KEY", m.APIKey.Key)).want(t, 200, "")
	}
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	s.cmd.Wait()

	s = serveWith(t, func(cmd *exec.Cmd) { cmd.Dir = dir }, build(t))
	s.do("GET", "/me", bearer(a.text("access_token"))).want(t, 200, "")
	s.stop(t)
	wantUses(t, dir, "http://127.0.0.1:8080", 11)
}

// TestFirstGuardedRoute goes from an empty folder to a guarded route in two commands.
func TestFirstGuardedRoute(t *testing.T) {
	s, m := serveStore(t, t.TempDir(), "")
	resp, err := http.Get(s.url + "/me")
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if resp.StatusCode != 401 {
		t.Errorf("without a credential: got %d, want 401", resp.StatusCode)
	}
	s.do("GET", "/me", header("X-API-KEY", m.APIKey.Key)).want(t, 200, "")
	s.stop(t)
}
