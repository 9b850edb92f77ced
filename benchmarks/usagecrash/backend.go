package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
	"github.com/authtier/authtier/store/postgres"
	"github.com/authtier/authtier/store/redis"
	"github.com/authtier/authtier/store/sqlite"
)

// A backend is the store that receives the counts, and how servers reach it.
type backend struct {
	kind, childDSN string
	usage          store.Usage // of a memory store
	dsn            string      // of other stores, without the cutter
	closers        []io.Closer
}

func newBackend(ctx context.Context, cfg config, dir string) (*backend, error) {
	b := &backend{kind: cfg.store, dsn: cfg.dsn}
	switch {
	case cfg.clients < 1 || cfg.kills < 0:
		return nil, errors.New("expected a positive number of -clients and of -kills")
	case cfg.store == "memory":
		db := memory.New()
		l, err := listenBridge(db, cfg.cut)
		if err != nil {
			return nil, err
		}
		b.usage, b.childDSN, b.closers = db, "http://"+l.Addr().String(), []io.Closer{l}
		return b, nil
	case cfg.cut && cfg.store == "sqlite":
		return nil, errors.New("there is no connection to SQLite that could be cut")
	case cfg.store == "sqlite" && cfg.dsn == "":
		b.dsn = filepath.Join(dir, "usage.db")
	case cfg.dsn == "":
		return nil, errors.New("expected a -dsn")
	}
	b.childDSN = b.dsn
	if cfg.cut {
		l, dsn, err := listenCutter(b.dsn)
		if err != nil {
			return nil, err
		}
		b.childDSN, b.closers = dsn, []io.Closer{l}
	}
	_, err := openUsage(ctx, b.kind, b.dsn) // migrates, and fails if the store is unusable
	return b, err
}

func (b *backend) close() {
	for _, c := range b.closers {
		c.Close()
	}
}

// counts returns what the store reports, by client and product.
func (b *backend) counts(ctx context.Context, s *site, since time.Time) (map[[2]string]int64, error) {
	u := b.usage
	if u == nil {
		var err error
		if u, err = openUsage(ctx, b.kind, b.dsn); err != nil {
			return nil, err
		}
	}
	q := store.Query{API: s.API, Issuer: s.Issuer, From: store.DayOf(since), To: store.DayOf(time.Now())}
	report, err := u.Report(ctx, q)
	if err != nil {
		return nil, err
	}
	counts := map[[2]string]int64{}
	for r, err := range report.Rows() {
		if err != nil {
			return nil, err
		}
		counts[[2]string{r.Client, r.Product}] = r.Quantity
	}
	return counts, nil
}

func openUsage(ctx context.Context, kind, dsn string) (store.Usage, error) {
	switch kind {
	case "memory":
		return &bridge{url: dsn}, nil
	case "sqlite":
		return sqlite.Open(ctx, dsn)
	case "postgres":
		return postgres.Open(ctx, dsn, &postgres.Config{AllowVolatile: true, AllowPlaintext: true})
	case "redis":
		return redis.Open(ctx, dsn, &redis.Config{AllowVolatile: true, AllowPlaintext: true})
	}
	return nil, fmt.Errorf("unknown -store %q", kind)
}

// check compares, and says so.
func check(ctx context.Context, out io.Writer, b *backend, s *site, l *load, since time.Time) error {
	counts, err := b.counts(ctx, s, since)
	if err != nil {
		return err
	}
	fmt.Fprint(out, "| client | product | acknowledged | counted | attempted | held |\n|---|---|--:|--:|--:|---|\n")
	wrong := 0
	for i, c := range s.Clients {
		for j, product := range products {
			t := &l.tallies[i][j]
			low, n, high := t.acknowledged.Load(), counts[[2]string{c.ID, product}], t.attempted.Load()
			held := "yes"
			if n < low || n > high {
				held = "**no**"
				wrong++
			}
			fmt.Fprintf(out, "| %s | %s | %d | %d | %d | %s |\n", c.ID, product, low, n, high, held)
		}
	}
	fmt.Fprintf(out, "\n%d requests had no answer, %d were refused.\n", l.broken.Load(), l.refused.Load())
	if wrong > 0 {
		return fmt.Errorf("%d counts are wrong", wrong)
	}
	return nil
}
