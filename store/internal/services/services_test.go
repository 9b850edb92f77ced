package services

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// A dialogue stores a value in a server, or returns the stored value if value is empty.
type dialogue func(t *testing.T, s *Service, value string) (string, error)

// sql keeps the value in a table.
func sql(t *testing.T, s *Service, value string) (string, error) {
	statements := "SELECT v FROM kept"
	if value != "" {
		statements = fmt.Sprintf("CREATE TABLE IF NOT EXISTS kept (v text); DELETE FROM kept; INSERT INTO kept VALUES ('%s')", value)
	}
	return s.sql(s.DSN()+"&connect_timeout=2", statements)
}

// resp keeps the value under a key.
func resp(t *testing.T, s *Service, value string) (string, error) {
	command := "GET kept\r\n"
	if value != "" {
		command = fmt.Sprintf("SET kept %s\r\n", value)
	}
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Second))
	if _, err := c.Write([]byte(command)); err != nil {
		return "", err
	}
	r := bufio.NewReader(c)
	line, err := r.ReadString('\n')
	if strings.HasPrefix(line, "$") {
		line, err = r.ReadString('\n')
	}
	return strings.TrimSpace(line), err
}

func TestServices(t *testing.T) {
	for name, tt := range map[string]struct {
		start    func(testing.TB, ...string) *Service
		settings []string
		ask      dialogue
	}{
		"postgres": {Postgres, []string{"fsync=on", "max_connections=20"}, sql},
		"redis":    {Redis, []string{"appendfsync=always"}, resp},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s *Service
			t.Run("life", func(t *testing.T) {
				s = tt.start(t, tt.settings...)
				testLife(t, s, tt.ask)
			})
			if s == nil {
				t.SkipNow()
			}
			if pids := processes(s.folder); len(pids) != 0 {
				t.Errorf("after the test: processes %v are left", pids)
			}
			if _, err := os.Stat(s.folder); !os.IsNotExist(err) {
				t.Errorf("after the test: the folder is left: %v", err)
			}
		})
	}
}

func testLife(t *testing.T, s *Service, ask dialogue) {
	keep := func(value string) {
		t.Helper()
		if _, err := ask(t, s, value); err != nil {
			t.Fatalf("keeping %s: %v", value, err)
		}
	}
	want := func(what, value string) {
		t.Helper()
		if got, err := ask(t, s, ""); err != nil || got != value {
			t.Fatalf("%s: got %q, %v, want %q", what, got, err, value)
		}
	}
	address := s.DSN()
	keep("one")
	s.Kill(t)
	if got, err := ask(t, s, ""); err == nil {
		t.Errorf("a killed server: got %q", got)
	}
	s.Start(t)
	if s.DSN() != address {
		t.Errorf("started again at %s, want %s", s.DSN(), address)
	}
	want("killed", "one")

	s.CopyData(t)
	keep("two")
	s.Stop(t)
	s.Start(t)
	want("stopped in good order", "two")
	s.RestoreData(t)
	want("gone back", "one")

	s.Pause(t)
	if got, err := ask(t, s, ""); err == nil {
		t.Errorf("a paused server: got %q", got)
	}
	s.Resume(t)
	want("resumed", "one")
	s.Pause(t) // a paused server must end too
}

// TestDatabases copies a template to two databases at the same time.
func TestDatabases(t *testing.T) {
	s := SharedPostgres(t)
	template := s.Database(t, "")
	s.SQL(t, template, "CREATE TABLE x (n int)")
	one, two := s.Database(t, template), s.Database(t, template)
	s.SQL(t, one, "INSERT INTO x VALUES (1), (2)")
	if got := s.SQL(t, one, "SELECT n, n+1 FROM x ORDER BY n"); got != "1|2\n2|3" {
		t.Errorf("one: got %q", got)
	}
	if got := s.SQL(t, two, "SELECT count(*) FROM x"); got != "0" {
		t.Errorf("two: got %q", got)
	}
	if SharedPostgres(t) != s {
		t.Error("the shared server is another one")
	}
}

func TestAt(t *testing.T) {
	if got, want := At("postgres://u@127.0.0.1:1/db?sslmode=disable", "127.0.0.1:2"), "postgres://u@127.0.0.1:2/db?sslmode=disable"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A verdict records how a test ended.
type verdict struct {
	testing.TB
	is string
}

func (v *verdict) Helper()               {}
func (v *verdict) Skipf(string, ...any)  { v.is = "skipped" }
func (v *verdict) Fatalf(string, ...any) { v.is = "failed" }

func TestMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := redis{}.command(1, nil)
	for require, want := range map[string]string{"": "skipped", "0": "skipped", "1": "failed"} {
		t.Setenv("AUTHTIER_REQUIRE_SERVICES", require)
		v := verdict{}
		if need(&v, err); v.is != want {
			t.Errorf("required %q: got %q for %v, want %s", require, v.is, err, want)
		}
	}
}

// ending names the environment variable that says how the test process ends.
const ending = "AUTHTIER_TEST_ENDING"

// TestProcessEnds starts services in a test process that ends in several ways without
// cleaning up.
func TestProcessEnds(t *testing.T) {
	if how := os.Getenv(ending); how != "" {
		end(t, how)
		return
	}
	for _, how := range []string{"exit", "kill", "panic", "timeout"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			SharedRedis(t) // skips the test if Redis is not installed
			cmd := exec.Command(os.Args[0], "-test.run=^TestProcessEnds$", "-test.timeout=8s")
			cmd.Env = append(os.Environ(), ending+"="+how)
			out, err := cmd.CombinedOutput()
			_, after, ok := strings.Cut(string(out), "folder ")
			dir, _, _ := strings.Cut(after, "\n")
			if err == nil || !ok {
				t.Fatalf("got %v\n%s", err, out)
			}
			err = until("something is left in "+dir, func() bool {
				_, err := os.Stat(dir)
				return os.IsNotExist(err) && len(processes(dir)) == 0
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func end(t *testing.T, how string) {
	Redis(t).Pause(t)
	p := Postgres(t)
	p.Pause(t)
	dir, _ := root()
	if len(processes(dir)) < 3 {
		t.Errorf("processes: %v", processes(dir))
	}
	fmt.Printf("folder %s\n", dir)
	switch how {
	case "exit":
		os.Exit(1)
	case "kill":
		self, _ := os.FindProcess(os.Getpid())
		self.Kill()
	case "panic":
		go panic("in another goroutine")
	}
	select {} // until the test times out
}
