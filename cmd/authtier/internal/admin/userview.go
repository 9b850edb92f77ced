package admin

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/store"
)

// A userView is a user in the output.
type userView struct {
	Login       string   `json:"login"`
	First       string   `json:"first"`
	Last        string   `json:"last"`
	Lang        string   `json:"lang"`
	LimitScopes bool     `json:"limit_scopes"`
	Scopes      []string `json:"scopes"`
	Disabled    bool     `json:"disabled"`
}

// A shownUser is a single user in the output. Lists do not say whether users have
// passwords, because stores do not list the hashes.
type shownUser struct {
	userView
	HasPassword bool `json:"has_password"`
}

func viewUser(u store.User) userView {
	return userView{
		Login: u.Login, First: u.First, Last: u.Last, Lang: u.Lang, LimitScopes: u.LimitScopes, Scopes: orEmpty(u.Scopes),
		Disabled: u.Disabled,
	}
}

// limit describes which scopes tokens of the user may have.
func (v userView) limit() string {
	switch {
	case !v.LimitScopes:
		return "those of the client"
	case len(v.Scopes) == 0:
		return "none"
	}
	return words(v.Scopes)
}

// showUser prints a user.
func (c *call) showUser(login string) error {
	u, err := c.db.User(c.Context(), login)
	if err != nil {
		return about("user", login, err)
	}

	v := shownUser{viewUser(*u), u.Password != ""}
	return cli.Print(c.Command, v, func(w io.Writer) {
		row(w, "Login", shown(v.Login))
		row(w, "First name", shown(v.First))
		row(w, "Last name", shown(v.Last))
		row(w, "Language", shown(v.Lang))
		row(w, "Scopes", v.limit())
		row(w, "Password", yes(v.HasPassword))
		row(w, "Disabled", yes(v.Disabled))
	})
}

func (g *group) addUserViews() {
	show := g.add(cobra.Command{
		Use:   "show LOGIN",
		Short: "Show a user",
	}, g.withStore(func(c *call) error { return c.showUser(c.args[0]) }), "LOGIN")
	g.firstArg(show, logins)

	g.add(cobra.Command{
		Use:   "list",
		Short: "List all users",
	}, g.withStore(func(c *call) error {
		users, err := listAll(func(after string, limit int) ([]store.User, error) {
			return c.db.ListUsers(c.Context(), after, limit)
		}, func(u store.User) string { return u.Login })
		if err != nil {
			return err
		}

		views := []userView{}
		for _, u := range users {
			views = append(views, viewUser(u))
		}
		return cli.Print(c.Command, views, func(w io.Writer) {
			row(w, "LOGIN", "DISABLED", "FIRST", "LAST", "LANG", "SCOPES")
			for _, v := range views {
				row(w, shown(v.Login), yes(v.Disabled), shown(v.First), shown(v.Last), shown(v.Lang), v.limit())
			}
		})
	}))
}
