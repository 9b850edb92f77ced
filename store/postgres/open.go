package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/authtier/authtier/store/internal/transport"
)

// parse returns the configuration in a connection string.
func parse(ctx context.Context, dsn string) (*pgxpool.Config, error) {
	var errs []error
	if ctx == nil {
		errs = append(errs, errors.New("nil Context"))
	}
	if strings.TrimSpace(dsn) == "" {
		errs = append(errs, errors.New("dsn is blank, and would mean the default database"))
	}
	cfg, err := pgxpool.ParseConfig(dsn)
	// pgx hides the password only in forms that it recognizes.
	if err != nil && len(dsn) > 0 && strings.Contains(err.Error(), dsn) {
		err = errors.New("dsn is not understood, expected a URL or key=value pairs")
	}
	if cut := transport.CheckPassword(dsn); cut != nil {
		err = cut // pgx may show the rest of the password
	}
	return cfg, errors.Join(append(errs, err)...)
}

// checkPool returns an error that names every time of the pool that is out of range.
// For some of them a goroutine of the pool would panic.
func checkPool(cfg *pgxpool.Config) error {
	var errs []error
	for _, p := range []struct {
		name     string
		is, from time.Duration
	}{
		{"pool_health_check_period", cfg.HealthCheckPeriod, time.Millisecond}, {"pool_max_conn_lifetime", cfg.MaxConnLifetime, 0},
		{"pool_max_conn_lifetime_jitter", cfg.MaxConnLifetimeJitter, 0}, {"pool_max_conn_idle_time", cfg.MaxConnIdleTime, 0},
	} {
		if p.is < p.from {
			errs = append(errs, fmt.Errorf("%s is %v, expected at least %v", p.name, p.is, p.from))
		}
	}
	return errors.Join(errs...)
}

// checkTransport returns an error if one of the connections that pgx may try goes to
// another machine without TLS.
func checkTransport(cfg *pgx.ConnConfig) error {
	type target struct {
		host      string
		encrypted bool
	}
	// With sslmode=prefer, a fallback without TLS follows each host with TLS.
	targets := []target{{cfg.Host, cfg.TLSConfig != nil}}
	for _, fallback := range cfg.Fallbacks {
		targets = append(targets, target{fallback.Host, fallback.TLSConfig != nil})
	}

	var errs []error
	var told []string
	for _, t := range targets {
		if !t.encrypted && !transport.IsLocal(t.host) && !slices.Contains(told, t.host) {
			told = append(told, t.host)
			errs = append(errs, fmt.Errorf("the connection to %s may be without TLS: set sslmode=verify-full, or allow plaintext", t.host))
		}
	}
	return errors.Join(errs...)
}

// checkDurable returns an error if the server may forget acknowledged writes of the pool's
// sessions in a crash.
func checkDurable(ctx context.Context, pool *pgxpool.Pool) error {
	var fsync, commit string
	err := pool.QueryRow(ctx, `SELECT current_setting('fsync'), current_setting('synchronous_commit')`).Scan(&fsync, &commit)
	if err != nil {
		return fmt.Errorf("opening the database: %w", err)
	}

	var errs []error
	for _, setting := range []struct{ name, value string }{{"fsync", fsync}, {"synchronous_commit", commit}} {
		if setting.value == "off" {
			errs = append(errs, fmt.Errorf("%s is off, and the server may forget revocations in a crash: set it on, or allow volatile servers", setting.name))
		}
	}
	return errors.Join(errs...)
}

// connect makes the pool for a connection string. name describes the database in errors,
// without the password.
func connect(ctx context.Context, dsn string, c Config) (pool *pgxpool.Pool, name string, err error) {
	pc, err := parse(ctx, dsn)
	if err != nil {
		return nil, "", fmt.Errorf("postgres: %w", err) // pgx hides the password
	}

	name = fmt.Sprintf("postgres %s:%d/%s", pc.ConnConfig.Host, pc.ConnConfig.Port, pc.ConnConfig.Database)
	if pc.ConnConfig.ConnectTimeout == 0 {
		pc.ConnConfig.ConnectTimeout = time.Second
	}

	// The pool's default is four connections, or one for each CPU, which is few.
	if !strings.Contains(dsn, "pool_max_conns") {
		pc.MaxConns = max(pc.MaxConns, 16)
	}

	// Check before the pool makes connections, which would send the password.
	err = checkPool(pc)
	if !c.AllowPlaintext {
		err = errors.Join(checkTransport(pc.ConnConfig), err)
	}
	if err == nil {
		pool, err = pgxpool.NewWithConfig(ctx, pc)
	}
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", name, err)
	}
	return pool, name, nil
}
