package admin

import (
	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/store"
)

func userGroup() *cobra.Command {
	g := newGroup(cobra.Command{
		Use:   "user",
		Short: "Manage users: the people who log in, and for whom clients get tokens",
		Long: `Manage users: the people who log in, and for whom clients get tokens.

Passwords come from a file, from standard input or from a prompt that does not show them,
and only their hashes are stored. Servers on the same store learn of every change within
a second.`,
		Example: `  authtier user create ada --first Ada --last Lovelace --lang en
  authtier user create bob --password-file - < bob.password
  authtier user update bob --scope reports:read
  authtier user disable bob`,
	})
	g.addUserCreate()
	g.addUserUpdate()
	g.addUserPassword()
	g.addUserViews()
	g.addUserSwitches()
	return g.cmd
}

// userFlags are the properties of a user.
type userFlags struct {
	first, last, lang     string
	scopes                list
	noScopes, limitScopes bool
}

func (f *userFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.first, "first", "", "first name")
	flags.StringVar(&f.last, "last", "", "last name")
	flags.StringVar(&f.lang, "lang", "", "language, such as en")
	flags.Var(&f.scopes, "scope", "a scope that tokens of the user may have, and limits them to these; repeat it, or give several with spaces between them")
	flags.BoolVar(&f.noScopes, "no-scopes", false, "limit tokens of the user to no scope at all")
	flags.BoolVar(&f.limitScopes, "limit-scopes", false, "limit tokens of the user to the scopes of the user; --limit-scopes=false lifts the limit, so that only the client limits them")
	cmd.MarkFlagsMutuallyExclusive("scope", "no-scopes")
	for _, name := range []string{"first", "last", "lang", "scope"} {
		cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
	}
}

// check returns an error if the flags for scopes contradict each other.
func (f *userFlags) check(c *call) error {
	if c.changed("limit-scopes") && !f.limitScopes && (len(f.scopes) > 0 || f.noScopes) {
		return cli.Usagef("--limit-scopes=false lifts the limit, expected no --scope and no --no-scopes beside it")
	}
	return nil
}

// apply changes the properties that were given.
func (f *userFlags) apply(c *call, u *store.User) {
	for _, p := range []struct {
		flag, value string
		field       *string
	}{
		{"first", f.first, &u.First}, {"last", f.last, &u.Last}, {"lang", f.lang, &u.Lang},
	} {
		if c.changed(p.flag) {
			*p.field = p.value
		}
	}

	switch {
	case len(f.scopes) > 0 || f.noScopes:
		u.Scopes, u.LimitScopes = f.scopes, true
	case c.changed("limit-scopes"):
		u.LimitScopes = f.limitScopes
		if !f.limitScopes {
			u.Scopes = nil // they would limit nothing
		}
	}
}

func (g *group) addUserCreate() {
	var f userFlags
	var p passwordFlags
	cmd := g.add(cobra.Command{
		Use:   "create LOGIN",
		Short: "Create a user",
		Long: `Create a user. Without --password-file and --no-password, the command asks for the
password twice.

Without --scope, --no-scopes and --limit-scopes, only the client limits the scopes of the
user's tokens.`,
		Example: `  authtier user create ada --first Ada --last Lovelace --lang en
  authtier user create bob --scope reports:read --password-file bob.password
  authtier user create carol --no-password`,
	}, g.withIssuer(func(c *call) error {
		if err := f.check(c); err != nil {
			return err
		}
		u := store.User{Login: c.args[0]}
		f.apply(c, &u)
		return c.createUser(u, p)
	}), "LOGIN")
	f.add(cmd)
	p.add(cmd, "create the user without a password; the user cannot log in by password")
}

func (c *call) createUser(u store.User, p passwordFlags) error {
	if err := wrong("user", u.Login, u.Check()); err != nil {
		return err
	}
	// Nobody should type a password in vain.
	if _, err := c.db.User(c.Context(), u.Login); err == nil {
		return about("user", u.Login, store.ErrExists)
	}

	password, err := p.read(c)
	if err != nil {
		return err
	}
	if p.none {
		err = c.db.CreateUsers(c.Context(), u)
	} else {
		err = c.iss.CreateUser(c.Context(), u, password)
	}
	if err != nil {
		return about("user", u.Login, err)
	}
	return c.showUser(u.Login)
}

func (g *group) addUserUpdate() {
	var f userFlags
	cmd := g.add(cobra.Command{
		Use:   "update LOGIN",
		Short: "Change the names and scopes of a user",
		Long: `Change the names and scopes of a user.

Only what is given changes. An empty value, as in --lang "", removes a text. --scope
replaces all scopes of the user, --no-scopes removes them and so leaves no scope to the
user's tokens, and --limit-scopes=false lifts the limit. Existing tokens keep their
scopes until they expire: to end them, run "user revoke" afterwards.`,
		Example: `  authtier user update ada --lang ""
  authtier user update ada --scope reports:read --scope reports:write
  authtier user update ada --limit-scopes=false`,
	}, g.withStore(func(c *call) error {
		if err := c.changes(); err != nil {
			return err
		}
		if err := f.check(c); err != nil {
			return err
		}
		return c.updateUser(func(u *store.User) { f.apply(c, u) })
	}), "LOGIN")
	f.add(cmd)
	g.firstArg(cmd, logins)
}

// updateUser changes the user of the first argument, and prints the user.
func (c *call) updateUser(apply func(*store.User)) error {
	login := c.args[0]
	err := c.db.UpdateUser(c.Context(), login, func(u *store.User) error {
		old := *u // apply replaces lists and does not change them
		apply(u)
		return wrong("user", login, u.CheckUpdate(&old))
	})
	if err != nil {
		return about("user", login, err)
	}
	return c.showUser(login)
}

func (g *group) addUserSwitches() {
	for _, s := range []struct {
		verb, short, long string
		disabled          bool
	}{
		{"disable", "Refuse a user everywhere", "Refuse a user everywhere: the password, the tokens, the sessions and the API keys that the\nuser owns. The tokens and sessions stay refused after \"user enable\".", true},
		{"enable", "Admit a disabled user again", "Admit a disabled user again, with the same password and API keys.", false},
	} {
		cmd := g.add(cobra.Command{Use: s.verb + " LOGIN", Short: s.short, Long: s.long}, g.withStore(func(c *call) error {
			return c.updateUser(func(u *store.User) { u.Disabled = s.disabled })
		}), "LOGIN")
		g.firstArg(cmd, logins)
	}

	remove := g.add(cobra.Command{
		Use:   "delete LOGIN",
		Short: "Delete a user and the API keys that the user owns, at once and without asking",
		Long: `Delete a user and the API keys that the user owns, at once and without asking. The user's
tokens and sessions are refused from then on.`,
	}, g.withStore(func(c *call) error {
		login := c.args[0]
		// The store does not say that there was nothing to delete.
		if _, err := c.db.User(c.Context(), login); err != nil {
			return about("user", login, err)
		}
		if err := c.db.DeleteUser(c.Context(), login); err != nil {
			return err
		}
		return c.done(login, "deleted", "%s is deleted, with the API keys that the user owned", quoted("user", login))
	}), "LOGIN")
	g.firstArg(remove, logins)

	revoke := g.add(cobra.Command{
		Use:   "revoke LOGIN",
		Short: "Revoke all tokens and sessions of a user, and delete the API keys that the user owns",
		Long: `Revoke all tokens and sessions of a user, and delete the API keys that the user owns. The
password stays valid, and the user can log in again. To prevent that, disable the user.`,
	}, g.withIssuer(func(c *call) error {
		login := c.args[0]
		if err := c.iss.RevokeUser(c.Context(), login); err != nil {
			return about("user", login, err)
		}
		return c.done(login, "revoked", "all tokens and sessions of %s are revoked, and the API keys that the user owned are deleted", quoted("user", login))
	}), "LOGIN")
	g.firstArg(revoke, logins)
}
