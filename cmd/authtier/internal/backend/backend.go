// Package backend opens the store and the issuer that the flags of a command name.
//
//	var f backend.Flags
//	f.AddStore(cmd.Flags())
//	db, err := f.Open(ctx, cmd)
//	iss, err := f.Administration(ctx, db)
package backend

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
	"github.com/authtier/authtier/store/postgres"
	"github.com/authtier/authtier/store/redis"
	"github.com/authtier/authtier/store/sqlite"
)

// A Store is a store that can be closed.
type Store interface {
	store.Store
	Close() error
}

// Flags locate the records, the issuer and its keys.
type Flags struct {
	Store, StoreFile string
	KeyFile          string
	Issuer           string
	usageDir         string
	dsn              string // the text of StoreFile, once it was read

	AllowPlaintextStore, AllowVolatileStore bool
}

// The defaults of authtier serve.
const (
	// DefaultIssuer is the issuer of a server that listens at the default address.
	DefaultIssuer = "http://127.0.0.1:8080"

	// KeySet is the name of the set of signing keys in the store.
	KeySet = "authtier"

	// UsageAPI is the API whose use is counted.
	UsageAPI = "authtier"
)

// AddStore adds the flags that name the store.
func (f *Flags) AddStore(flags *pflag.FlagSet) {
	flags.StringVar(&f.Store, "store", "sqlite:auth.db", "the `DSN` of the store: sqlite:FILE, postgres://HOST/DATABASE, redis://HOST or rediss://HOST; put a DSN with a password into the variable or into --store-file")
	flags.StringVar(&f.StoreFile, "store-file", "", "a `file` that holds the DSN of the store")
	flags.BoolVar(&f.AllowPlaintextStore, "allow-plaintext-store", false, "allow a connection without TLS to a store on another machine")
	flags.BoolVar(&f.AllowVolatileStore, "allow-volatile-store", false, "allow a store that may forget acknowledged writes in a crash")
	cli.Env(flags, "store", "store-file", "allow-plaintext-store", "allow-volatile-store")
}

// AddKeyFile adds the flag that names the key file.
func (f *Flags) AddKeyFile(flags *pflag.FlagSet) {
	flags.StringVar(&f.KeyFile, "key-file", "auth.key", "the `file` with the key that encrypts the signing keys in the store")
	cli.Env(flags, "key-file")
}

// AddIssuer adds the flag that names the issuer.
func (f *Flags) AddIssuer(flags *pflag.FlagSet) {
	flags.StringVar(&f.Issuer, "issuer", DefaultIssuer, "the `URL` of the issuer whose tokens and usage are meant")
	cli.Env(flags, "issuer")
}

// AddUsageDir adds the flag that names the folder of the journal.
func (f *Flags) AddUsageDir(flags *pflag.FlagSet) {
	flags.StringVar(&f.usageDir, "usage-dir", "", "the `folder` of the journal of usage counts, which belongs to one store (default: the name of the SQLite file with .usage added; otherwise auth.usage)")
	cli.Env(flags, "usage-dir")
}

// UsageDir returns the folder of the journal. Each SQLite file has a folder of its own,
// because the counts of one store must not be recorded in another.
func (f *Flags) UsageDir(cmd *cobra.Command) (string, error) {
	file, err := f.SQLiteFile(cmd)
	switch {
	case err != nil:
		return "", err
	case f.usageDir != "":
		return f.usageDir, nil
	case file == "":
		return "auth.usage", nil
	}
	return file + ".usage", nil
}

// CheckIssuer returns a usage error if --issuer is not a URL of an issuer. It asks an issuer
// without records.
func (f *Flags) CheckIssuer(cmd *cobra.Command) error {
	iss, err := issuer.New(cmd.Context(), f.Issuer, memory.New(), &issuer.Config{OpaqueTokens: true})
	if err != nil {
		return cli.Usagef("%s: %s", cli.Place(cmd, "issuer"), strings.TrimPrefix(err.Error(), "issuer: New: "))
	}
	return iss.Close()
}

// A location is a store that the flags name.
type location struct {
	kind string // "sqlite", "postgres" or "redis"
	dsn  string // the file, if kind is "sqlite"
}

// locate reads --store or --store-file. It refuses a password on the command line, where
// every user of the machine can read it.
func (f *Flags) locate(cmd *cobra.Command) (location, error) {
	dsn, place, filePlace := strings.TrimSpace(f.Store), cli.Place(cmd, "store"), cli.Place(cmd, "store-file")
	onLine, fileOnLine := cmd.Flags().Changed("store"), cmd.Flags().Changed("store-file")
	switch {
	case f.StoreFile == "" || onLine && !fileOnLine: // the command line wins
	case onLine || !fileOnLine && place == cli.Variable("store"):
		return location{}, cli.Usagef("%s and %s are both set, expected one of them", place, filePlace)
	default:
		if err := f.readStoreFile(); err != nil {
			return location{}, fmt.Errorf("%s: %w", filePlace, err)
		}
		dsn, place = f.dsn, "the file "+f.StoreFile
	}

	scheme, rest, found := strings.Cut(dsn, ":")
	if !found {
		scheme = ""
	}
	if cmd.Flags().Changed("store") && scheme != "sqlite" {
		if err := checkArgument(dsn); err != nil {
			return location{}, err
		}
	}
	switch scheme {
	case "sqlite":
		if rest == "" {
			return location{}, fmt.Errorf("%s: the file is missing, expected sqlite:FILE", place)
		}
		return location{"sqlite", rest}, nil
	case "postgres", "postgresql":
		return location{"postgres", dsn}, nil
	case "redis", "rediss", "unix":
		return location{"redis", dsn}, nil
	}
	return location{}, fmt.Errorf("%s: it names no store, expected sqlite:FILE, postgres://HOST/DATABASE, redis://HOST or rediss://HOST", place)
}

// readStoreFile reads the file of --store-file once, because it may be a pipe.
func (f *Flags) readStoreFile() error {
	if f.dsn != "" {
		return nil
	}
	text, err := os.ReadFile(f.StoreFile)
	f.dsn = strings.TrimSpace(string(text))
	return err
}

// checkArgument refuses a DSN on the command line that has a password. One that is not a URL
// may have a password anywhere, so the error does not repeat it.
func checkArgument(dsn string) error {
	u, err := url.Parse(dsn)
	switch {
	case err != nil && strings.Contains(dsn, "@"): // probably with a password
		u = &url.URL{}
	case err != nil:
		return fmt.Errorf("--store: it is not a URL, expected sqlite:FILE, postgres://HOST/DATABASE, redis://HOST or rediss://HOST")
	}
	_, inUser := u.User.Password()
	// An @ without a user is the end of a password with a slash that was not percent-encoded.
	isCut := u.User == nil && strings.Contains(dsn, "@") && !strings.Contains(dsn, "=")
	if q := u.Query(); inUser || isCut || q.Has("password") || q.Has("sentinel_password") || q.Has("sslpassword") {
		return cli.Usagef("--store: a password on the command line can be read by other users: set %s, or write the DSN to a file and name it with --store-file", cli.Variable("store"))
	}
	return nil
}

// open opens or creates the store.
func (l location) open(ctx context.Context, f *Flags) (Store, error) {
	switch l.kind {
	case "sqlite":
		if err := checkStoreFile(l.dsn); err != nil {
			return nil, err
		}
		return nonNil(sqlite.Open(ctx, l.dsn))
	case "postgres":
		return nonNil(postgres.Open(ctx, l.dsn, &postgres.Config{AllowPlaintext: f.AllowPlaintextStore, AllowVolatile: f.AllowVolatileStore}))
	default:
		return nonNil(redis.Open(ctx, l.dsn, &redis.Config{AllowPlaintext: f.AllowPlaintextStore, AllowVolatile: f.AllowVolatileStore}))
	}
}

// version returns the version of the store and the newest known one. It changes nothing.
func (l location) version(ctx context.Context, f *Flags) (stored, known int, err error) {
	switch l.kind {
	case "sqlite":
		return sqlite.Version(ctx, l.dsn)
	case "postgres":
		return postgres.Version(ctx, l.dsn, &postgres.Config{AllowPlaintext: f.AllowPlaintextStore, AllowVolatile: f.AllowVolatileStore})
	default:
		return redis.Version(ctx, l.dsn, &redis.Config{AllowPlaintext: f.AllowPlaintextStore, AllowVolatile: f.AllowVolatileStore})
	}
}

// nonNil turns the nil pointer that comes with an error into a nil interface.
func nonNil[S Store](s S, err error) (Store, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}
