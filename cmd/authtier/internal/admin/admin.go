// Package admin holds the commands that administer a store: client, user, key, token,
// session, signing-key and migrate.
//
//	root.AddCommand(admin.Commands()...)
//
// They act on the store, with or without a running server. Servers on the same store learn
// of a change within a second.
package admin

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/backend"
	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/issuer"
)

// Commands returns the commands.
func Commands() []*cobra.Command {
	return []*cobra.Command{
		clientGroup(), userGroup(), keyGroup(), tokenGroup(), sessionGroup(), signingKeyGroup(), migrateGroup(),
	}
}

// A group is a command that has subcommands, and the flags that they share.
type group struct {
	backend.Flags
	cmd *cobra.Command
}

// newGroup returns a group that prints its help if it is called without a subcommand.
func newGroup(cmd cobra.Command) *group {
	cmd.Args = onlySubcommands
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	g := &group{cmd: &cmd}
	g.AddStore(cmd.PersistentFlags())
	cli.AddOutput(g.cmd)
	g.cmd.SetFlagErrorFunc(flagError)
	return g
}

// add adds a subcommand, which takes one argument for each of the names.
func (g *group) add(cmd cobra.Command, run func(*cobra.Command, []string) error, names ...string) *cobra.Command {
	cmd.Args = exactly(names...)
	cmd.RunE = run
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	g.cmd.AddCommand(&cmd)
	return &cmd
}

// A call is one run of a command.
type call struct {
	*cobra.Command
	args []string
	db   backend.Store
	iss  *issuer.Issuer // nil, unless the command asks for one
}

// withStore runs f with an open store.
func (g *group) withStore(f func(c *call) error) func(*cobra.Command, []string) error {
	return cli.Run(func(cmd *cobra.Command, args []string) (err error) {
		// A wrong flag must be found before anything is written.
		if err := cli.CheckOutput(cmd); err != nil {
			return err
		}

		db, err := g.Open(cmd.Context(), cmd)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, db.Close()) }()
		return f(&call{Command: cmd, args: args, db: db})
	})
}

// withIssuer runs f with an issuer that needs no key file.
func (g *group) withIssuer(f func(c *call) error) func(*cobra.Command, []string) error {
	return g.withStore(func(c *call) error {
		iss, err := g.Administration(c.Context(), c.db)
		if err != nil {
			return err
		}
		return c.with(iss, f)
	})
}

// with runs f with an issuer and closes the issuer.
func (c *call) with(iss *issuer.Issuer, f func(c *call) error) error {
	defer iss.Close() // its error is always nil
	c.iss = iss
	return f(c)
}

// changes returns a usage error if none of the command's own flags was given.
func (c *call) changes() error {
	if names, given := ownFlags(c.Command); !given {
		return cli.Usagef("nothing to change: expected at least one of %s", names)
	}
	return nil
}

// changed reports whether the command line has the flag.
func (c *call) changed(flag string) bool { return c.Flags().Changed(flag) }

// quoted describes a record in a sentence.
func quoted(what, name string) string { return fmt.Sprintf("%s %q", what, name) }
