package admin

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
)

// passwordFlags say where a password comes from.
type passwordFlags struct {
	file string
	none bool
}

func (p *passwordFlags) add(cmd *cobra.Command, none string) {
	cmd.Flags().StringVar(&p.file, "password-file", "", "a file with the password, or - for standard input; asks at the terminal if it is missing")
	cmd.Flags().BoolVar(&p.none, "no-password", false, none)
	cmd.MarkFlagsMutuallyExclusive("password-file", "no-password")
}

// read returns the password. At a terminal it asks twice.
func (p *passwordFlags) read(c *call) (string, error) {
	if p.none {
		return "", nil
	}
	if c.changed("password-file") && p.file == "" {
		return "", cli.Usagef("--password-file is empty, expected a file or - for standard input")
	}

	password, err := cli.ReadSecret(c.Command, p.file, "password-file", "the password")
	if err != nil || p.file != "" {
		return password, err
	}
	again, err := cli.ReadSecret(c.Command, "", "password-file", "the password again")
	if err == nil && again != password {
		err = errors.New("the two passwords differ, and nothing was changed")
	}
	return password, err
}

func (g *group) addUserPassword() {
	var p passwordFlags
	cmd := g.add(cobra.Command{
		Use:   "set-password LOGIN",
		Short: "Set the password of a user, and revoke the user's tokens and sessions",
		Long: `Set the password of a user, and revoke the user's tokens and sessions. Without
--password-file and --no-password, the command asks for the password twice. API keys that
the user owns stay valid.`,
		Example: `  authtier user set-password ada
  authtier user set-password ada --password-file - < ada.password`,
	}, g.withIssuer(func(c *call) error { return c.setPassword(c.args[0], p) }), "LOGIN")
	p.add(cmd, "remove the password; the user cannot log in by password any more")
	g.firstArg(cmd, logins)
}

func (c *call) setPassword(login string, p passwordFlags) error {
	// Nobody should type a password in vain.
	if _, err := c.db.User(c.Context(), login); err != nil {
		return about("user", login, err)
	}
	password, err := p.read(c)
	if err != nil {
		return err
	}

	word := "set"
	if p.none {
		word = "removed"
		err = c.db.SetPassword(c.Context(), login, "")
	} else {
		err = c.iss.SetPassword(c.Context(), login, password)
	}
	if err != nil {
		return about("user", login, err)
	}
	return c.done(login, "password_"+word, "the password of %s is %s, and the user's tokens and sessions are revoked", quoted("user", login), word)
}
