package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/csv"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/sqlite"
)

// A row has the values that the store keeps of a key.
type row struct{ idKey, id, digest, clientKey, client, scopes, name []byte }

const columns = `id_key, id, digest, client_key, client, scopes, created, expires, name, owner, addrs`

const (
	plain = `CREATE TABLE keys (id_key BLOB, id BLOB, digest BLOB, client_key BLOB, client BLOB, scopes BLOB,
		created BIGINT, expires BIGINT, name BLOB, owner BLOB, addrs BLOB)`
	unique = plain + `; CREATE UNIQUE INDEX keys_id ON keys (id_key); CREATE UNIQUE INDEX keys_digest ON keys (digest)`
)

var scopes = []string{"reports:read", "reports:write"}

// makeRows returns the rows, and the CSV file that has them.
func makeRows(dir string, cfg config) (rows []row, file string, err error) {
	file = filepath.Join(dir, "keys.csv")
	f, err := os.Create(file)
	if err != nil {
		return nil, "", err
	}
	w := csv.NewWriter(f)
	w.Write([]string{"id", "client", "key", "scopes", "name"})

	const name = "a key of a partner"
	for n := range cfg.keys {
		id, client := fmt.Sprintf("key-%07d", n), clientID(n%cfg.clients)
		key := fmt.Sprintf("old-system-%x", sha256.Sum256([]byte(id)))
		idKey, clientKey, digest := sha256.Sum256([]byte(id)), sha256.Sum256([]byte(client)), store.DigestOf(key)
		rows = append(rows, row{idKey[:], []byte(id), digest[:], clientKey[:], []byte(client), []byte(`["reports:read","reports:write"]`), []byte(name)})
		w.Write([]string{id, client, key, strings.Join(scopes, " "), name})
	}
	w.Flush()
	return rows, file, errors.Join(w.Error(), f.Close())
}

func clientID(n int) string { return fmt.Sprintf("client-%d", n) }

// makeStore makes a store with the clients.
func makeStore(ctx context.Context, cfg config, database string) (err error) {
	db, err := sqlite.Open(ctx, database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for n := range cfg.clients {
		if err := db.CreateClient(ctx, store.Client{ID: clientID(n), Scopes: scopes}); err != nil {
			return err
		}
	}
	return nil
}

// importFile measures the whole process that imports the file.
func importFile(ctx context.Context, cfg config, database, file string) (time.Duration, error) {
	if err := makeStore(ctx, cfg, database); err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, cfg.authtier, "import", "keys", "--store", "sqlite:"+database, "--batch", fmt.Sprint(cfg.batch), file)
	begin := time.Now()
	out, err := cmd.CombinedOutput()
	took := time.Since(begin)
	if err != nil {
		return 0, fmt.Errorf("%w\n%s", err, out)
	}
	return took, stored(ctx, database, "authtier_api_keys", cfg.keys)
}

// insertIndexed inserts the rows into the table of a store.
func insertIndexed(ctx context.Context, cfg config, database string, rows []row) (time.Duration, error) {
	if err := makeStore(ctx, cfg, database); err != nil {
		return 0, err
	}
	return insertInto(ctx, cfg, database, "authtier_api_keys", "", rows)
}

func insert(ctx context.Context, cfg config, database, create string, rows []row) (time.Duration, error) {
	return insertInto(ctx, cfg, database, "keys", create, rows)
}

// insertInto measures one prepared statement that is run for each row.
func insertInto(ctx context.Context, cfg config, database, table, create string, rows []row) (took time.Duration, err error) {
	db, err := open(database)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, create); err != nil {
		return 0, err
	}

	begin := time.Now()
	stmt, err := db.Prepare(`INSERT INTO ` + table + ` (` + columns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
	if err != nil {
		return 0, err
	}
	defer stmt.Close()
	for part := range slices.Chunk(rows, cfg.batch) {
		if err := insertBatch(db, stmt, part); err != nil {
			return 0, err
		}
		if err := ctx.Err(); err != nil {
			return 0, err
		}
	}
	took = time.Since(begin)
	return took, stored(ctx, database, table, len(rows))
}

func insertBatch(db *sql.DB, stmt *sql.Stmt, rows []row) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()

	// Without a context, the driver starts no goroutine for each statement.
	inTx, now := tx.Stmt(stmt), time.Now().UnixMicro()
	for _, r := range rows {
		if _, err := inTx.Exec(r.idKey, r.id, r.digest, r.clientKey, r.client, r.scopes, now, 0, r.name, []byte{}, []byte("null")); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func open(database string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: database}).EscapedPath()+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// stored returns an error if a table has not as many rows as it should.
func stored(ctx context.Context, database, table string, want int) (err error) {
	db, err := open(database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var n int
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM `+table).Scan(&n); err != nil {
		return err
	}
	if n != want {
		return fmt.Errorf("%d rows are stored, expected %d", n, want)
	}
	return nil
}
