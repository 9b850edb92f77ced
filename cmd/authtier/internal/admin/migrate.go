package admin

import (
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/backend"
	"github.com/authtier/authtier/cmd/authtier/internal/cli"
)

func migrateGroup() *cobra.Command {
	g := newGroup(cobra.Command{
		Use:   "migrate",
		Short: "Show the version of a store, or upgrade it",
		Long: `Show the version of a store, or upgrade it.

Two successive versions of authtier can use one store at the same time, so you can upgrade
your servers one by one: make a backup, run "migrate up" with the new version, and then
replace the servers.`,
		Example: `  authtier migrate status
  authtier migrate up`,
	})
	g.add(cobra.Command{
		Use:   "status",
		Short: "Show the version of the store and the newest one that this program knows",
		Long: `Show the version of the store and the newest one that this program knows. It changes
nothing. If there is no store yet, the exit status is 1.`,
	}, cli.Run(func(cmd *cobra.Command, _ []string) error {
		v, err := g.version(cmd)
		if err != nil {
			return err
		}
		return v.print(cmd)
	}))
	g.add(cobra.Command{
		Use:   "up",
		Short: "Bring the store to the newest version that this program knows",
		Long: `Bring the store to the newest version that this program knows. Make a backup before. It
never makes a store that does not exist: authtier init does.`,
	}, cli.Run(g.migrateUp))
	return g.cmd
}

// A versionView is the version of a store in the output.
type versionView struct {
	Stored int           `json:"stored"`
	Known  int           `json:"known"`
	State  backend.State `json:"state"`
}

// version returns the version of a store, which must exist.
func (g *group) version(cmd *cobra.Command) (versionView, error) {
	v, err := g.Version(cmd.Context(), cmd)
	if err == nil && v.State() == backend.Missing {
		err = backend.ErrNoStore
	}
	return versionView{v.Stored, v.Known, v.State()}, err
}

func (v versionView) print(cmd *cobra.Command) error {
	return cli.Print(cmd, v, func(w io.Writer) {
		row(w, "Stored", strconv.Itoa(v.Stored))
		row(w, "Known", strconv.Itoa(v.Known))
		row(w, "State", string(v.State)+": "+v.State.Advice())
	})
}

func (g *group) migrateUp(cmd *cobra.Command, _ []string) error {
	v, err := g.version(cmd)
	switch {
	case err != nil:
		return err
	case v.State == backend.TooNew:
		return fmt.Errorf("the store has version %d, and this program knows up to %d: %s", v.Stored, v.Known, v.State.Advice())
	case v.State != backend.Older:
		return v.print(cmd)
	}

	// Create also brings a store to the newest version.
	db, err := g.Create(cmd.Context(), cmd)
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	if v, err = g.version(cmd); err != nil {
		return err
	}
	return v.print(cmd)
}
