// Package services starts PostgreSQL and Redis for tests. Each server has a folder and
// a port of its own. A test may pause it, kill it, start it again and restore an
// earlier state.
//
//	db := services.Postgres(t)             // ends with the test
//	cache := services.Redis(t, "appendfsync=always")
//	dsn := services.SharedPostgres(t).Database(t, "") // one server a test process, one database a test
//
// Servers run as an unprivileged user. They end with the test process, however it ends.
// If the programs are not installed, the test is skipped; with
// AUTHTIER_REQUIRE_SERVICES=1 in the environment it fails.
package services

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a server may take to start or to end.
const patience = 30 * time.Second

// errMissing means that a program is not installed.
var errMissing = errors.New("not installed")

// A Service is a server. Its methods fail the test if they cannot do their work. They
// are not safe for concurrent use.
type Service struct {
	kind     kind
	folder   string // holds the data, a copy of it, and the log
	port     int
	settings []string

	cmd   *exec.Cmd
	ended chan struct{} // closed when cmd has ended
}

// A kind describes a server's program.
type kind interface {
	// prepare makes the data folder ready for a first start.
	prepare(data string) error
	command(port int, settings []string) (*exec.Cmd, error)
	ready(s *Service) bool
	stop() os.Signal
	dsn(addr string) string
}

// open returns a running service.
func open(k kind, settings []string) (*Service, error) {
	if _, err := k.command(0, nil); err != nil {
		return nil, err
	}

	dir, err := root()
	if err != nil {
		return nil, err
	}
	s := &Service{kind: k, settings: settings}
	if s.folder, err = os.MkdirTemp(dir, "*"); err != nil {
		return nil, err
	}
	if err := s.begin(); err != nil {
		return nil, errors.Join(err, s.remove())
	}
	return s, nil
}

// begin makes the data and starts the server for the first time.
func (s *Service) begin() error {
	if err := os.Chmod(s.folder, 0o755); err != nil {
		return err
	}
	if err := s.kind.prepare(s.data()); err != nil {
		return err
	}
	for range 10 {
		// Another program may take a free port before the server does.
		s.port = freePort()
		if err := s.start(); !errors.Is(err, errTaken) {
			return err
		}
	}
	return errTaken
}

// own returns a service that ends with the test.
func own(t testing.TB, k kind, settings []string) *Service {
	t.Helper()
	s, err := open(k, settings)
	need(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log of the service:\n%s", s.log())
		}
		if err := s.remove(); err != nil {
			t.Errorf("services: %v", err)
		}
	})
	return s
}

// need skips or fails the test if there is no service.
func need(t testing.TB, err error) {
	t.Helper()
	switch {
	case errors.Is(err, errMissing) && os.Getenv("AUTHTIER_REQUIRE_SERVICES") != "1":
		t.Skipf("services: %v", err)
	case err != nil:
		t.Fatalf("services: %v", err)
	}
}

// Name returns a random name of lower-case letters, for a namespace.
func Name() string { return "t" + strings.ToLower(rand.Text()) }

// At returns the DSN with another address, such as that of a proxy.
func At(dsn, addr string) string {
	u, err := url.Parse(dsn)
	if err != nil {
		panic(err)
	}
	u.Host = addr
	return u.String()
}

// Addr returns the host and port of the server.
func (s *Service) Addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// DSN returns the URL of the server. For PostgreSQL, it names the first database.
func (s *Service) DSN() string { return s.kind.dsn(s.Addr()) }

// Pause stops the server's processes. Connections stay open, and the server answers
// nothing until [Service.Resume].
func (s *Service) Pause(t testing.TB) {
	t.Helper()
	s.must(t, "Pause", pause(s.folder))
}

// Resume lets a paused server continue.
func (s *Service) Resume(t testing.TB) {
	t.Helper()
	s.must(t, "Resume", resume(s.folder))
}

// Kill kills all processes of the server at once, as kill -9 does, even if it is paused.
func (s *Service) Kill(t testing.TB) {
	t.Helper()
	s.must(t, "Kill", s.kill())
}

// Stop asks the server to end and waits until it has.
func (s *Service) Stop(t testing.TB) {
	t.Helper()
	s.must(t, "Stop", s.quit())
}

// Start starts a server that has ended, with the same data and address.
func (s *Service) Start(t testing.TB) {
	t.Helper()
	s.must(t, "Start", s.start())
}

// CopyData copies the data for [Service.RestoreData]. It stops the server before, and
// starts it again.
func (s *Service) CopyData(t testing.TB) {
	t.Helper()
	s.must(t, "CopyData", s.quit())
	s.must(t, "CopyData", copyFolder(s.data(), s.saved()))
	s.must(t, "CopyData", s.start())
}

// RestoreData kills the server, restores the last copy of its data, and starts it again.
func (s *Service) RestoreData(t testing.TB) {
	t.Helper()
	s.must(t, "RestoreData", s.kill())
	s.must(t, "RestoreData", copyFolder(s.saved(), s.data()))
	s.must(t, "RestoreData", s.start())
}

func (s *Service) must(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("services: %s: %v", what, err)
	}
}

func (s *Service) data() string  { return filepath.Join(s.folder, "data") }
func (s *Service) saved() string { return filepath.Join(s.folder, "saved") }

// log returns the last 4 KiB that the server wrote since its last start.
func (s *Service) log() []byte {
	b, _ := os.ReadFile(filepath.Join(s.folder, "log"))
	return bytes.TrimSpace(b[max(0, len(b)-4096):])
}

// remove ends the server and removes its folder.
func (s *Service) remove() error { return errors.Join(s.kill(), os.RemoveAll(s.folder)) }

// shared returns a function that starts a service once for the test process.
func shared(k kind) func() (*Service, error) {
	return sync.OnceValues(func() (*Service, error) { return open(k, nil) })
}
