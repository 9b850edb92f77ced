package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/authtier/authtier/store/internal/transport"
)

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

	for _, t := range targets {
		if !t.encrypted && !transport.IsLocal(t.host) {
			return fmt.Errorf("the connection to %s may be without TLS: set sslmode=verify-full, or allow plaintext", t.host)
		}
	}
	return nil
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
