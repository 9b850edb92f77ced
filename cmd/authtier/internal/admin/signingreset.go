package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/backend"
	"github.com/authtier/authtier/cmd/authtier/internal/cli"
)

func (g *group) addSigningKeyReset() {
	g.add(cobra.Command{
		Use:   "reset",
		Short: "End all signing keys and begin with a new key file, if the old one is lost or has leaked",
		Long: `End all signing keys and begin with a new key file, if the old one is lost or has leaked.

Servers refuse all signed access tokens within a second, and clients need new ones. API keys,
secrets, passwords, sessions and refresh tokens stay valid. The command does not need the
old key file. If it still exists, rename it first.

Copy the new key file to every server, and restart them. Until then, running servers refuse
all signed tokens and issue none.`,
		Example: `  mv auth.key leaked.key
  authtier signing-key reset`,
	}, g.withStore(g.resetSigningKeys))
}

// endedBefore is how far the end of a key is put into the past, for servers whose clocks
// are behind.
const endedBefore = 10 * time.Minute

// resetSigningKeys ends all keys and makes a first one. If it is interrupted in between, it
// can be repeated.
func (g *group) resetSigningKeys(c *call) error {
	live, err := backend.LiveSigningKeys(c.Context(), c.db)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(g.KeyFile); len(live) > 0 && !errors.Is(err, fs.ErrNotExist) {
		return &cli.Advice{
			Err: fmt.Errorf("the key file %q exists", g.KeyFile),
			Do:  "rename it if it has leaked, and otherwise use authtier signing-key rotate or revoke",
		}
	}

	for i := range live {
		live[i].Ends = time.Now().Add(-endedBefore)
	}
	if err := c.db.PutSigningKeys(c.Context(), live...); err != nil {
		return err
	}
	if err := g.makeFirstSigningKey(c); err != nil {
		return err
	}
	c.note("Made the key file %s. Tokens of %s are refused. Copy the file to every server, restart the servers, and keep a copy of it.", g.KeyFile, cli.Plural(len(live), "earlier key"))
	return nil
}

// makeFirstSigningKey makes a key in a store that has none that has not ended.
func (g *group) makeFirstSigningKey(c *call) error {
	if err := g.FirstKey(c.Context(), c.db); err != nil {
		return err
	}
	live, err := c.liveSigningKeys()
	if err != nil {
		return err
	}
	return c.showSigningKey(live[len(live)-1].ID)
}
