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

// Postgres starts a PostgreSQL server. Settings are those of postgresql.conf,
// such as "fsync=on" and "max_connections=20". Without it nothing is synced,
// which survives a killed server, and not a crash of the system.
func Postgres(t testing.TB, settings ...string) *Service {
	t.Helper()
	return own(t, postgres{}, settings)
}

var sharedPostgres = shared(postgres{})

// SharedPostgres returns the server that the tests of this process share; each
// should have a [Service.Database] of its own. It must not be paused or stopped.
func SharedPostgres(t testing.TB) *Service {
	t.Helper()
	s, err := sharedPostgres()
	need(t, err)
	return s
}

// Database creates a database that is gone with the test, and returns its DSN.
// It is empty, or a copy of the template, a DSN that this method returned and
// that nobody is connected to.
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

// SQL executes statements, by psql, and returns the rows that it writes: one a
// line, with | between columns.
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

// program returns the path of one of PostgreSQL's programs, of the newest version
// that is installed.
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

// cluster makes an empty cluster, once, for every server to start from a copy.
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

// ready reads the file in which the server says how it is, as pg_ctl does.
func (postgres) ready(s *Service) bool {
	b, _ := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	lines := strings.Split(string(b), "\n")
	return len(lines) > 7 && lines[0] == strconv.Itoa(s.cmd.Process.Pid) && strings.TrimSpace(lines[7]) == "ready"
}

func (postgres) stop() os.Signal { return os.Interrupt } // a fast shutdown

func (postgres) dsn(addr string) string {
	return "postgres://postgres@" + addr + "/postgres?sslmode=disable"
}
