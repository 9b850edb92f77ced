// Package importing holds the command import, which stores API keys and users of another
// system from a CSV file.
//
//	root.AddCommand(importing.Command())
//
// The file is streamed. A goroutine parses records in batches, and the store writes one
// batch at a time, wholly or not at all. An import that was interrupted or killed is
// repeated: records that are stored already are skipped.
package importing

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/backend"
	"github.com/authtier/authtier/cmd/authtier/internal/cli"
)

// maxBatch is the greatest number of records that a store takes in one step. It is the
// default too: with SQLite, 10,000 keys at a time are stored about 1.5 times as fast as
// 5,000 and twice as fast as 2,000. Each step writes most pages of the indexes again.
const maxBatch = 10_000

// options are the flags of the commands.
type options struct {
	backend.Flags
	check     bool
	allowWeak bool
	batch     int
}

// Command returns the command import.
func Command() *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Import API keys or users of another system from a CSV file",
		Long: `Import API keys or users of another system from a CSV file.

The file is UTF-8, with commas between the columns. Line 1 names the columns, in any order.
A field that contains a comma, such as an argon2id hash, must be in double quotes. Records
that are stored already and are the same are skipped, so you resume an interrupted import by
running it again. A faulty line is reported with its number and does not
stop the others. The exit status is 1 if there was a faulty line.

Servers may keep running. While a batch is stored, their own changes wait; a smaller --batch
makes the wait shorter.`,
	}
	cli.Group(cmd)

	flags := cmd.PersistentFlags()
	o.AddStore(flags)
	flags.BoolVar(&o.check, "check", false, "report faulty lines and store nothing; it does not notice keys that were revoked before")
	flags.IntVar(&o.batch, "batch", maxBatch, "how many records are stored in one step, from 1 to 10000")
	cli.AddOutput(cmd)
	cmd.AddCommand(o.keysCommand(), o.usersCommand())
	return cmd
}

func (o *options) keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys FILE",
		Short: "Import API keys",
		Long: `Import API keys. If FILE is -, standard input is read. The columns are:

  id       the ID of the record, which is not secret
  client   the ID of a client that exists
  key      the key itself, or
  sha256   its SHA-256 without salt, in hexadecimal or base64
  scopes   separated by spaces; may be missing or empty
  name     a description; may be missing or empty
  expires  a time such as 2030-01-31T12:00:00Z, or a date such as 2030-01-31, on which
           the key ends at 00:00 UTC; missing or empty for a key that never expires

Each line has either key or sha256. If a key of this ID, or this key itself, was revoked,
replaced or deleted before, the line is faulty and the key stays revoked. A line is skipped
if the stored key has the same ID, digest and client, and the same values in all other
columns of the file.`,
		Example: `  printf '%s\n' id,client,key,scopes \
    legacy1,app,3f9c1b7a5d2e4f60a1b2c3d4,api \
    'legacy2,app,"a-key,with-a-comma-in-it",api' > keys.csv
  authtier import keys keys.csv --check
  authtier import keys keys.csv`,
		Args: cli.Args("FILE"),
		RunE: cli.Run(func(cmd *cobra.Command, args []string) error {
			return o.run(cmd, args[0], func(ctx context.Context, db backend.Store) (importer, error) {
				iss, err := o.Administration(ctx, db)
				if err != nil {
					return nil, err
				}
				return &load[keyRecord]{kind: &keys{db: db, iss: iss, allowWeak: o.allowWeak}}, nil
			})
		}),
	}
	cmd.Flags().BoolVar(&o.allowWeak, "allow-weak", false, "allow keys of fewer than 16 bytes, which can be guessed")
	return cmd
}

func (o *options) usersCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "users FILE",
		Short: "Import users",
		Long: `Import users. If FILE is -, standard input is read. The columns are:

  login    the login name
  hash     argon2id in PHC form, or bcrypt; empty for a user without a password
  first    first name, last name and language; may be missing or empty
  last
  lang
  scopes   separated by spaces: the user's tokens get only these scopes; if it is missing
           or empty, the client alone limits the scopes

With bcrypt hashes, tell the servers the highest cost: authtier serve --bcrypt-cost 12. Failed
logins then take equally long for all users.

A line is skipped if the stored user has the same values in all columns of the file. The
hash may differ in two cases, because people log in while an import is resumed. The stored
hash is then newer and is kept, and the summary counts it:

  - The stored hash is argon2id, and the hash in the file has another type or cost. The
    first login replaces such a hash.
  - The user was given a new password, was disabled or was revoked since the import.

A hash that differs for another reason makes the line faulty. A user who was deleted since
the import is imported again.`,
		Example: `  printf '%s\n' login,hash,first,scopes \
    'ada,$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW,Ada,reports:read' \
    'bob,,Bob,' > users.csv
  authtier import users users.csv`,
		Args: cli.Args("FILE"),
		RunE: cli.Run(func(cmd *cobra.Command, args []string) error {
			return o.run(cmd, args[0], func(_ context.Context, db backend.Store) (importer, error) {
				return &load[userRecord]{kind: &users{db: db}}, nil
			})
		}),
	}
}

// An importer imports the records of one file.
type importer interface {
	run(ctx context.Context, in *input, o *output, opts *options) error
	io.Closer
}

// run imports a file, and prints the summary even if it fails in the middle.
func (o *options) run(cmd *cobra.Command, file string, open func(context.Context, backend.Store) (importer, error)) (err error) {
	if o.batch < 1 || o.batch > maxBatch {
		return cli.Usagef("--batch %d: expected a number from 1 to %d", o.batch, maxBatch)
	}
	in, err := openInput(cmd, file)
	if err != nil {
		return err
	}
	defer in.Close()

	ctx, stop := cli.UntilSignal(cmd)
	defer stop()

	db, err := o.Open(ctx, cmd)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	imp, err := open(ctx, db)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, imp.Close()) }()

	out := newOutput(cmd, in, o.check)
	err = imp.run(ctx, in, out, o)
	if errors.Is(err, errHeader) {
		return fmt.Errorf("%s: %w", in.name, err)
	}
	return errors.Join(out.summarize(cmd), out.failure(err))
}
