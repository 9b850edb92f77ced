package admin

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/store"
)

func tokenGroup() *cobra.Command {
	g := newGroup(cobra.Command{
		Use:   "token",
		Short: "Inspect or revoke an access token or a refresh token",
		Long: `Inspect or revoke an access token or a refresh token.

The token comes from standard input or from --token-file. At a terminal, the commands
prompt for it and do not show it. Never pass a token as an argument.

--issuer must be the URL of the server that issued the token. A signed token also needs
the key file of that server.`,
		Example: `  authtier token inspect --issuer https://api.example.com < token
  authtier token revoke --issuer https://api.example.com --token-file token`,
	})
	g.AddKeyFile(g.cmd.PersistentFlags())
	g.AddIssuer(g.cmd.PersistentFlags())
	g.addTokenCommands()
	return g.cmd
}

// A tokenView is an active token in the output.
type tokenView struct {
	Active   bool     `json:"active"` // true
	Kind     string   `json:"kind"`   // "access" or "refresh"
	ID       string   `json:"id"`
	Family   string   `json:"family"`
	Client   string   `json:"client"`
	User     string   `json:"user"`
	Scopes   []string `json:"scopes"`
	Audience []string `json:"audience"`
	Issuer   string   `json:"issuer"`
	Issued   stamp    `json:"issued"`
	Expires  stamp    `json:"expires"`
}

// An inactiveView is a token in the output that no server accepts.
type inactiveView struct {
	Active bool   `json:"active"` // false
	Reason string `json:"reason"`
}

func (v tokenView) print(w io.Writer) {
	row(w, "Active", yes(v.Active))
	row(w, "Kind", v.Kind)
	row(w, "ID", shown(v.ID))
	row(w, "Family", shown(v.Family))
	row(w, "Client", shown(v.Client))
	row(w, "User", shown(v.User))
	row(w, "Scopes", words(v.Scopes))
	row(w, "Audience", words(v.Audience))
	row(w, "Issuer", v.Issuer)
	row(w, "Issued", v.Issued.text("-"))
	row(w, "Expires", v.Expires.text("-"))
}

func (g *group) addTokenCommands() {
	var file string
	inspect := g.add(cobra.Command{
		Use:   "inspect",
		Short: "Print what a token is, and whether it is active",
		Long: `Print what a token is, and whether it is active: genuine, of this issuer, not expired and
not revoked. If it is not active, the exit status is 1.`,
		Example: `  authtier token inspect --issuer https://api.example.com --output json < token`,
	}, g.withToken(&file, (*call).inspect))

	revoke := g.add(cobra.Command{
		Use:   "revoke",
		Short: "Revoke a token",
		Long: `Revoke a token. Revoking a refresh token, or an access token without a user, also revokes all
tokens of the same grant. An access token of a user is revoked alone (RFC 7009
section 2.1).`,
		Example: `  authtier token revoke --issuer https://api.example.com < token`,
	}, g.withToken(&file, func(c *call, token string) error {
		err := c.iss.RevokeToken(c.Context(), token)
		if errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("no live token of %s: it may be of another issuer, expired, revoked before or mistyped", c.iss.URL())
		}
		if err != nil {
			return err
		}
		return cli.Print(c.Command, map[string]string{"result": "revoked"}, func(w io.Writer) { fmt.Fprintln(w, "the token is revoked") })
	}))

	for _, cmd := range []*cobra.Command{inspect, revoke} {
		cmd.Flags().StringVar(&file, "token-file", "", "a file with the token, or - for standard input, which is the default unless it is a terminal")
	}
}

// withToken runs f with a token and an issuer that can check it.
func (g *group) withToken(file *string, f func(c *call, token string) error) func(*cobra.Command, []string) error {
	return g.withStore(func(c *call) error {
		if c.changed("token-file") && *file == "" {
			return cli.Usagef("--token-file is empty, expected a file or - for standard input")
		}
		if err := g.CheckIssuer(c.Command); err != nil {
			return err
		}
		token, err := readToken(c, *file)
		if err != nil {
			return err
		}

		iss, err := g.checker(c, token)
		if err != nil {
			return err
		}
		return c.with(iss, func(c *call) error { return f(c, token) })
	})
}

// checker returns an issuer that can check the token. An opaque token needs no key file.
func (g *group) checker(c *call, token string) (*issuer.Issuer, error) {
	if !strings.Contains(token, ".") {
		return issuer.New(c.Context(), g.Issuer, c.db, &issuer.Config{OpaqueTokens: true})
	}
	// Without a signing key in the store, no signed token is of this issuer, and the
	// issuer would make a key.
	if _, err := c.liveSigningKeys(); err != nil {
		return nil, err
	}
	return g.WithKeys(c.Context(), c.db)
}

// inspect prints an active token. It returns an error if the token is not active.
func (c *call) inspect(token string) error {
	kind := "access"
	t, err := c.iss.InspectAccess(c.Context(), token)
	if errors.Is(err, errorsx.WrongTokenType) {
		kind = "refresh"
		t, err = c.iss.InspectRefresh(c.Context(), token)
	}

	switch {
	case err == nil:
		v := tokenView{
			Active: true, Kind: kind, ID: t.ID, Family: t.Family, Client: t.Client, User: t.User,
			Scopes: orEmpty(strings.Fields(t.Scopes)), Audience: orEmpty(strings.Fields(t.Audience)), Issuer: c.iss.URL(),
			Issued: stamp{t.Issued}, Expires: stamp{t.Expires},
		}
		return cli.Print(c.Command, v, v.print)
	case errorsx.From(err).Code.IsServerError():
		return err // nobody knows whether the token is active
	}

	e := errorsx.From(err)
	reason := e.Code.Error()
	if e.Err != nil {
		reason += ": " + e.Err.Error()
	}
	err = cli.Print(c.Command, inactiveView{Reason: reason}, func(w io.Writer) {
		row(w, "Active", yes(false))
		row(w, "Reason", shown(reason))
	})
	return errors.Join(errors.New("the token is not active"), err)
}
