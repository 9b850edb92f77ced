// Package admin holds the commands that administer a store: client, user, key, token,
// session, signing-key and migrate.
//
//	root.AddCommand(admin.Commands()...)
//
// They act on the store, with or without a running server. Servers on the same store learn
// of a change within a second.
package admin

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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
	cli.Group(&cmd)
	g := &group{cmd: &cmd}
	g.AddStore(cmd.PersistentFlags())
	cli.AddOutput(g.cmd)
	return g
}

// add adds a subcommand, which takes one argument for each of the names.
func (g *group) add(cmd cobra.Command, run func(*cobra.Command, []string) error, names ...string) *cobra.Command {
	cmd.Args = cli.Args(names...)
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
	return cli.Run(func(cmd *cobra.Command, args []string) error {
		return g.WithStore(cmd, func(_ context.Context, db backend.Store) error {
			return f(&call{Command: cmd, args: args, db: db})
		})
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

// ownFlags returns the names of the flags that only this command has, and whether one of
// them was given.
func ownFlags(cmd *cobra.Command) (names string, given bool) {
	var all []string
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" {
			all = append(all, "--"+f.Name)
			given = given || f.Changed
		}
	})
	return strings.Join(all, ", "), given
}

// quoted describes a record in a sentence.
func quoted(what, name string) string { return fmt.Sprintf("%s %q", what, name) }
