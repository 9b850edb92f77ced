package admin

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/store"
)

func sessionGroup() *cobra.Command {
	g := newGroup(cobra.Command{
		Use:     "session",
		Short:   "End a session of a user",
		Long:    `End a session of a user. To end all sessions of a user, run "user revoke".`,
		Example: `  authtier session revoke 0f3a5c7e9b1d2f4a6c8e0b2d4f6a8c0e`,
	})

	g.add(cobra.Command{
		Use:   "revoke SESSION-ID",
		Short: "End a session by its ID",
		Long: `End a session by its ID, which has 32 hexadecimal digits. It is not the token of the
session. Programs that embed authtier have it as Identity.TokenID, for example for their
logs. The store finds sessions only by their tokens, so an ID that no session has is not an
error. To end all sessions of a user, run "user revoke".`,
		Example: `  authtier session revoke 0f3a5c7e9b1d2f4a6c8e0b2d4f6a8c0e`,
	}, g.withIssuer(func(c *call) error {
		id := c.args[0]
		err := c.iss.RevokeSession(c.Context(), id)

		// The argument is not repeated, because it may be the token of the session.
		if errors.Is(err, store.ErrNotFound) {
			return cli.Usagef("expected the ID of the session, which has 32 hexadecimal digits in lower case, and never its token")
		}
		if err != nil {
			return err
		}
		return c.done(id, "revoked", "session %q is revoked, if there is one", id)
	}), "SESSION-ID")
	return g.cmd
}
