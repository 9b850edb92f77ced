package services

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

type postgres struct{}

// Postgres starts a PostgreSQL server that ends with the test. Settings are those of
// postgresql.conf, such as "max_connections=20". Without the setting "fsync=on", data
// survives a killed server, but not a crash of the system.
func Postgres(t testing.TB, settings ...string) *Service {
	t.Helper()
	return own(t, postgres{}, settings)
}

var sharedPostgres = shared(postgres{})

// SharedPostgres returns the server that the tests of this process share. Each test
// should have a [Service.Database] of its own, and must not pause or stop the server.
func SharedPostgres(t testing.TB) *Service {
	t.Helper()
	s, err := sharedPostgres()
	need(t, err)
	return s
}

// Database creates a database, returns its DSN, and drops it at the end of the test. The
// database is empty, or a copy of template if that is not empty. The template is a DSN
// that Database returned; nothing may be connected to it.
func (s *Service) Database(t testing.TB, template string) string {
	t.Helper()
	name, dsn := Name(), *s.url()
	from := "template0"
	if template != "" {
		u, err := url.Parse(template)
		s.must(t, "Database", err)
		from = strings.TrimPrefix(u.Path, "/")
	}

	s.SQL(t, s.DSN(), "CREATE DATABASE "+name+" TEMPLATE "+from)
	t.Cleanup(func() { s.sql(s.DSN(), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	dsn.Path = "/" + name
	return dsn.String()
}

// SQL runs statements with psql and returns the resulting rows, one on each line, with |
// between columns.
func (s *Service) SQL(t testing.TB, dsn, statements string) string {
	t.Helper()
	out, err := s.sql(dsn, statements)
	s.must(t, "SQL", err)
	return out
}

func (s *Service) sql(dsn, statements string) (string, error) {
	path, err := program("psql")
	if err != nil {
		return "", err
	}
	cmd := exec.Command(path, "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "-v", "ON_ERROR_STOP=1", "--command", statements, dsn)
	cmd.Env = []string{"PGCONNECT_TIMEOUT=30"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

func (s *Service) url() *url.URL {
	u, err := url.Parse(s.DSN())
	if err != nil {
		panic(err)
	}
	return u
}

// program returns the path of one of PostgreSQL's programs, in the newest version that
// is installed.
func program(name string) (string, error) {
	paths, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.Split(path, "/")[4])
		return n
	}

	if len(paths) > 0 {
		return slices.MaxFunc(paths, func(a, b string) int { return cmp.Compare(version(a), version(b)) }), nil
	}

	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("PostgreSQL's %s: %w", name, errMissing)
	}
	return path, nil
}

// cluster makes an empty cluster, once. Every server starts from a copy of it.
var cluster = sync.OnceValues(func() (string, error) {
	path, err := program("initdb")
	if err != nil {
		return "", err
	}
	dir, err := root()
	if err != nil {
		return "", err
	}
	dir = filepath.Join(dir, "cluster")
	if err := makeFolder(dir); err != nil {
		return "", err
	}

	cmd := exec.Command(path, "-D", dir, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	cmd.Dir = dir
	unprivileged(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return dir, nil
})

func (postgres) prepare(data string) error {
	dir, err := cluster()
	if err != nil {
		return err
	}
	return copyFolder(dir, data)
}

func (postgres) command(port int, settings []string) (*exec.Cmd, error) {
	path, err := program("postgres")
	if err != nil {
		return nil, err
	}
	args := []string{"-D", ".", "-p", strconv.Itoa(port)}
	defaults := []string{"listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"}
	for _, setting := range slices.Concat(defaults, settings) {
		args = append(args, "-c", setting)
	}
	return exec.Command(path, args...), nil
}

// ready reads the file in which the server reports its state, as pg_ctl does.
func (postgres) ready(s *Service) bool {
	b, _ := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	lines := strings.Split(string(b), "\n")
	return len(lines) > 7 && lines[0] == strconv.Itoa(s.cmd.Process.Pid) && strings.TrimSpace(lines[7]) == "ready"
}

func (postgres) stop() os.Signal { return os.Interrupt } // a fast shutdown

func (postgres) dsn(addr string) string {
	return "postgres://postgres@" + addr + "/postgres?sslmode=disable"
}
