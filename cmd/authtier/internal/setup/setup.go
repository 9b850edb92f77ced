package setup

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/backend"
	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/store"
)

// run makes everything and prints it.
func (f *flags) run(cmd *cobra.Command) error {
	if err := f.check(cmd); err != nil {
		return err
	}
	file, err := f.SQLiteFile(cmd)
	if err != nil {
		return err
	}
	if err := errors.Join(checkFolders(file, f.KeyFile), checkMode(file)); err != nil {
		return err
	}

	// A signal must not leave half of it.
	ctx, stop := cli.UntilSignal(cmd)
	defer stop()
	show := func(c *created) error {
		c.Store, c.KeyFile, c.Issuer, c.serve = f.Kind(cmd), f.KeyFile, f.Issuer, serveCommand(cmd)
		if err := cli.Print(cmd, c, c.print); err != nil {
			return fmt.Errorf("the secrets could not be printed, and the client, the user and the API key are deleted again: %w", err)
		}
		return nil
	}
	if file != "" && missing(file) {
		return f.createFiles(ctx, cmd, file, show)
	}
	return f.create(ctx, cmd, show)
}

// createFiles makes a database and a key file that do not exist yet. If show fails, it
// removes them: nobody knows the secrets.
func (f *flags) createFiles(ctx context.Context, cmd *cobra.Command, database string, show func(*created) error) (err error) {
	if !missing(f.KeyFile) {
		return errForeign(f.KeyFile)
	}
	d, err := newDraft(database, f.KeyFile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.remove()) }()

	var made *created
	drafted := *f
	drafted.Store, drafted.StoreFile, drafted.KeyFile = "sqlite:"+d.database, "", d.keyFile
	err = drafted.create(ctx, cmd, func(c *created) error { made = c; return nil })
	if err != nil {
		// Nobody knows the draft by its name.
		return errors.New(strings.NewReplacer(d.database, database, d.keyFile, f.KeyFile).Replace(err.Error()))
	}
	if err := d.publish(database, f.KeyFile); err != nil {
		return err
	}
	if err := show(made); err != nil {
		return errors.Join(err, os.Remove(f.KeyFile), os.Remove(database))
	}
	return nil
}

// errForeign says that the key file is there and the store's keys are not.
func errForeign(keyFile string) error {
	return fmt.Errorf("the key file %s exists already and may belong to another store, and nothing was changed: move it away if no store needs it, or name another file with --key-file", keyFile)
}

// check returns an error that names every flag that is wrong. It is called before anything
// is made.
func (f *flags) check(cmd *cobra.Command) error {
	if err := f.CheckIssuer(cmd); err != nil {
		return err
	}
	if f.KeyFile == "" {
		return cli.Usagef("%s is empty, expected the name of a file", cli.Place(cmd, "key-file"))
	}
	client := f.firstClient()
	user := store.User{Login: f.user}
	err := errors.Join(client.Check(), user.Check())
	if f.client == f.user {
		err = errors.Join(err, fmt.Errorf("--client and --user are both %q: tokens could not tell them apart", f.client))
	}
	if err != nil {
		return cli.Usagef("--client, --user or --scope: %w", err)
	}
	return nil
}

func (f *flags) firstClient() store.Client {
	scopes := strings.Fields(strings.Join(f.scopes, " "))
	return store.Client{ID: f.client, Scopes: scopes, Default: scopes, Grants: []string{store.GrantClientCredentials}}
}

// create makes the keys and the records, and the store if there is none. If show fails, it
// deletes the records.
func (f *flags) create(ctx context.Context, cmd *cobra.Command, show func(*created) error) (err error) {
	db, err := f.open(ctx, cmd)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := f.checkEmpty(ctx, db); err != nil {
		return err
	}

	isNew := missing(f.KeyFile)
	iss, err := issuer.New(ctx, f.Issuer, db, &issuer.Config{KeyFile: f.KeyFile, KeySetName: backend.KeySet})
	if err != nil {
		err = fmt.Errorf("%s: %w", cli.Place(cmd, "key-file"), err)
		if isNew {
			err = errors.Join(err, f.removeUnused(ctx, db))
		}
		return err
	}
	defer iss.Close()
	return f.records(ctx, db, iss, show)
}

// removeUnused removes a key file that this process has made in vain: the store has the
// keys of another init, which ran at the same time. In doubt the file stays, because the
// store may need it.
func (f *flags) removeUnused(ctx context.Context, db backend.Store) error {
	iss, err := f.WithKeys(context.WithoutCancel(ctx), db)
	switch {
	case err == nil:
		return iss.Close()
	case errors.Is(err, issuer.ErrOtherKey):
		return os.Remove(f.KeyFile)
	}
	return fmt.Errorf("the key file %s was made and stays: run authtier init again", f.KeyFile)
}

// open makes the store. A store that exists is only opened, so that an older one is not
// changed.
func (f *flags) open(ctx context.Context, cmd *cobra.Command) (backend.Store, error) {
	v, err := f.Version(ctx, cmd)
	switch {
	case err != nil:
		return nil, err
	case v.State() == backend.Missing:
		return f.Create(ctx, cmd)
	}
	return f.Open(ctx, cmd)
}

// checkEmpty returns an error that says what is there, unless the store has no records
// and the key file fits to it.
func (f *flags) checkEmpty(ctx context.Context, db backend.Store) error {
	clients, err := db.ListClients(ctx, "", 1)
	if err != nil {
		return err
	}
	users, err := db.ListUsers(ctx, "", 1)
	if err != nil {
		return err
	}
	keys, err := db.SigningKeys(ctx, backend.KeySet)
	if err != nil {
		return err
	}

	hasFile := !missing(f.KeyFile)
	switch {
	case len(clients) > 0:
		return fmt.Errorf("the store has clients already, such as %q, and nothing was changed: run authtier serve, or choose another store with --store; authtier client rotate-secret replaces a secret that you do not have", clients[0].ID)
	case len(users) > 0:
		return fmt.Errorf("the store has users already, such as %q, and nothing was changed: see authtier user list, and make a client with authtier client create", users[0].Login)
	case len(keys) > 0 && !hasFile:
		return fmt.Errorf("the store has signing keys, and the key file %s does not exist: copy it from another server, or see authtier signing-key reset --help", f.KeyFile)
	case len(keys) == 0 && hasFile:
		return errForeign(f.KeyFile)
	}
	return nil
}

// records makes the first client, user and API key. If one cannot be made, it deletes the
// ones that it has made before. The slow hash comes first, so that an init that is killed is
// unlikely to leave records in a shared store whose secrets nobody has seen.
func (f *flags) records(ctx context.Context, db backend.Store, iss *issuer.Issuer, show func(*created) error) (err error) {
	var undo []func(context.Context) error
	defer func() {
		for _, u := range undo {
			if err != nil {
				err = errors.Join(err, u(context.WithoutCancel(ctx)))
			}
		}
	}()

	c := &created{}
	c.Client.ID, c.User.Login, c.User.Password = f.client, f.user, rand.Text()
	hash, err := issuer.HashPassword(ctx, c.User.Password)
	if err != nil {
		return err
	}

	client := f.firstClient()
	if c.Client.Secret, err = iss.CreateClient(ctx, client); err != nil {
		return err
	}
	undo = append(undo, func(ctx context.Context) error { return db.DeleteClient(ctx, f.client) })

	if err = db.CreateUsers(ctx, store.User{Login: f.user, Password: hash}); err != nil {
		return err
	}
	undo = append(undo, func(ctx context.Context) error { return db.DeleteUser(ctx, f.user) })

	c.APIKey.Key, err = iss.CreateAPIKey(ctx, store.APIKey{Client: f.client, Name: "first key", Scopes: client.Scopes})
	if err != nil {
		return err
	}
	k, err := db.APIKey(ctx, store.DigestOf(c.APIKey.Key))
	if err != nil {
		return err
	}
	c.APIKey.ID = k.ID
	return show(c)
}
