package postgres_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/authtier/authtier/store/internal/services"
	"github.com/authtier/authtier/store/postgres"
)

// TestVersion reads the versions of databases of all ages. It must change none of them.
func TestVersion(t *testing.T) {
	names, err := filepath.Glob("migrations/*.sql")
	if err != nil || len(names) == 0 {
		t.Fatalf("migrations %v, %v", names, err)
	}
	known := len(names)

	s := services.SharedPostgres(t)
	for name, tt := range map[string]struct {
		open    bool   // whether the database was opened before
		prepare string // SQL
		stored  int
	}{
		"empty":              {false, `SELECT 1`, 0},
		"another program's":  {false, `CREATE TABLE cats (name TEXT)`, 0},
		"new":                {true, `SELECT 1`, known},
		"one version older":  {true, `DELETE FROM authtier_migrations WHERE version = (SELECT max(version) FROM authtier_migrations)`, known - 1},
		"one version newer":  {true, `INSERT INTO authtier_migrations VALUES (6, '6', '', '')`, known + 1},
		"two versions newer": {true, `INSERT INTO authtier_migrations VALUES (6, '6', '', ''), (7, '7', '', '')`, known + 2},
	} {
		t.Run(name, func(t *testing.T) {
			dsn := s.Database(t, "")
			if tt.open {
				open(t, dsn).Close()
			}
			s.SQL(t, dsn, tt.prepare)
			before := state(t, s, dsn, tt.open)

			stored, newest, err := postgres.Version(t.Context(), dsn, nil) // a volatile server is no error here
			if stored != tt.stored || newest != known || err != nil {
				t.Errorf("got %d, %d, %v, want %d, %d", stored, newest, err, tt.stored, known)
			}
			if after := state(t, s, dsn, tt.open); after != before {
				t.Errorf("the database was changed from %s to %s", before, after)
			}
		})
	}
}

// state describes the tables of a database and its migrations.
func state(t *testing.T, s *services.Service, dsn string, opened bool) string {
	t.Helper()
	text := s.SQL(t, dsn, `SELECT relname, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY relname`)
	if opened {
		text += s.SQL(t, dsn, `SELECT * FROM authtier_migrations ORDER BY version`)
	}
	return text
}

// TestVersionRefuses reads the version where it cannot be read. No error may contain the
// password.
func TestVersionRefuses(t *testing.T) {
	s := services.SharedPostgres(t)
	dsn := s.Database(t, "")
	s.SQL(t, dsn, `CREATE TABLE authtier_migrations AS SELECT 1 AS n; CREATE ROLE reader LOGIN`)
	t.Cleanup(func() { s.SQL(t, s.DSN(), `DROP ROLE reader`) })

	for name, tt := range map[string]struct{ dsn, want string }{
		"no right to read":    {strings.Replace(dsn, "postgres@", "reader@", 1), "authtier_migrations"},
		"no server":           {"postgres://u:hunter2@127.0.0.1:1/none", "127.0.0.1:1"},
		"no database":         {dsn[:strings.LastIndex(dsn, "/")] + "/none?sslmode=disable", "none"},
		"without TLS":         {"postgres://u:hunter2@192.0.2.1/d", "without TLS"},
		"blank":               {" ", "blank"},
		"no DSN":              {"not a dsn", "postgres: "},
		"a pool out of range": {dsn + "&pool_max_conn_lifetime=-1s", "pool_max_conn_lifetime"},
	} {
		stored, known, err := postgres.Version(t.Context(), tt.dsn, nil)
		if stored != 0 || known != 0 || err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %d, %d, %v, want an error that says %q", name, stored, known, err, tt.want)
		}
	}
}
