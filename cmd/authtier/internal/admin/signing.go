package admin

import (
	"errors"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/backend"
	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/store"
)

func signingKeyGroup() *cobra.Command {
	g := newGroup(cobra.Command{
		Use:   "signing-key",
		Short: "List, rotate, revoke or reset the keys that sign access tokens",
		Long: `List, rotate, revoke or reset the keys that sign access tokens.

rotate and revoke need the key file of the store's servers, because the keys in the store
are encrypted. list needs no key file. In a store without signing keys, rotate makes the
first one.`,
		Example: `  authtier signing-key list
  authtier signing-key rotate --key-file auth.key`,
	})
	g.AddKeyFile(g.cmd.PersistentFlags())
	g.Issuer = backend.DefaultIssuer // the keys do not depend on it, so there is no flag
	g.addSigningKeyList()
	g.addSigningKeyChanges()
	g.addSigningKeyReset()
	return g.cmd
}

// A signingKeyView is a signing key in the output, without the key.
type signingKeyView struct {
	ID        string `json:"id"`
	Alg       string `json:"alg"`
	State     string `json:"state"` // "waiting", "signing", "replaced" or "ended"
	Published stamp  `json:"published"`
	Signs     stamp  `json:"signs"`
	Ends      stamp  `json:"ends"`
}

// viewSigningKeys describes keys, which must be all keys of the set.
func viewSigningKeys(keys []store.SigningKey, now time.Time) []signingKeyView {
	// Of the keys that have not ended, the one that began last signs.
	signer := ""
	var began time.Time
	for _, k := range keys {
		if !k.Ended(now) && !k.Signs.IsZero() && !k.Signs.Before(began) {
			signer, began = k.ID, k.Signs
		}
	}

	views := []signingKeyView{}
	for _, k := range keys {
		state := "replaced"
		switch {
		case k.Ended(now):
			state = "ended"
		case k.ID == signer:
			state = "signing"
		case k.Signs.IsZero() && k.Ends.IsZero():
			state = "waiting"
		}
		views = append(views, signingKeyView{k.ID, k.Alg, state, stamp{k.Published}, stamp{k.Signs}, stamp{k.Ends}})
	}
	return views
}

// means explains a state.
func (v signingKeyView) means() string {
	switch v.State {
	case "waiting":
		return "verifies tokens, and will sign new ones some minutes after its publication"
	case "signing":
		return "signs and verifies tokens"
	case "replaced":
		return "verifies tokens until it ends"
	}
	return "tokens that it has signed are refused"
}

// liveSigningKeys returns the keys of the store that have not ended. There must be one: an
// issuer would make a key, and a key file, in a store that has none.
func (c *call) liveSigningKeys() ([]store.SigningKey, error) {
	live, err := backend.LiveSigningKeys(c.Context(), c.db)
	if err == nil && len(live) == 0 {
		err = backend.ErrNoSigningKey
	}
	return live, err
}

func (g *group) addSigningKeyList() {
	g.add(cobra.Command{
		Use:   "list",
		Short: "List the signing keys",
		Long: `List the signing keys, with one of four states: a key that is waiting was published and
will sign; the key that is signing signs; a key that is replaced only verifies tokens,
until it ends; tokens of a key that has ended are refused. A key that was revoked ends ten
minutes before its revocation, for servers whose clocks are behind.`,
	}, g.withStore(func(c *call) error {
		keys, err := c.db.SigningKeys(c.Context(), backend.KeySet)
		if err != nil {
			return err
		}

		views := viewSigningKeys(keys, time.Now())
		return cli.Print(c.Command, views, func(w io.Writer) {
			row(w, "ID", "ALG", "STATE", "PUBLISHED", "SIGNS", "ENDS", "MEANING")
			for _, v := range views {
				row(w, shown(v.ID), shown(v.Alg), v.State, v.Published.text("-"), v.Signs.text("-"), v.Ends.text("-"), v.means())
			}
		})
	}))
}

// withSigningKeys runs f with an issuer that can change the keys of a store that has some.
func (g *group) withSigningKeys(c *call, f func(c *call) error) error {
	if _, err := c.liveSigningKeys(); err != nil {
		return err
	}
	iss, err := g.WithKeys(c.Context(), c.db)
	if err != nil {
		return err
	}
	return c.with(iss, f)
}

func (g *group) addSigningKeyChanges() {
	g.add(cobra.Command{
		Use:   "rotate",
		Short: "Publish a new signing key",
		Long: `Publish a new signing key. It verifies tokens at once. A running server lets it sign five
and a half minutes later, when every cache of the key set has read it. The key before it
verifies tokens until its last token has expired.

In a store that has no signing key, the new key signs at once. If there is no key file, it
is made too.`,
	}, g.withStore(g.rotateSigningKey))

	revoke := g.add(cobra.Command{
		Use:   "revoke KID",
		Short: "End a signing key at once, for example because it has leaked",
		Long: `End a signing key at once, for example because it has leaked. Servers refuse the tokens
that it signed when they learn of it, within a second. If it is the key that signs, a new
key signs from now on. Caches of the key set outside of the servers may not know the new
key for up to five minutes.`,
	}, g.withStore(func(c *call) error { return g.withSigningKeys(c, (*call).revokeSigningKey) }), "KID")
	g.firstArg(revoke, signingKeyIDs)
}

// rotateSigningKey publishes a key, or makes the first one.
func (g *group) rotateSigningKey(c *call) error {
	live, err := backend.LiveSigningKeys(c.Context(), c.db)
	if err != nil {
		return err
	}
	if len(live) == 0 {
		return g.makeFirstSigningKey(c)
	}

	return g.withSigningKeys(c, func(c *call) error {
		kid, err := c.iss.RotateSigningKey(c.Context())
		if err != nil {
			return err
		}
		return c.showSigningKey(kid)
	})
}

// revokeSigningKey ends the key of the first argument.
func (c *call) revokeSigningKey() error {
	kid := c.args[0]
	err := c.iss.RevokeSigningKey(c.Context(), kid)
	if errors.Is(err, store.ErrNotFound) {
		all, listErr := c.db.SigningKeys(c.Context(), backend.KeySet)
		if slices.ContainsFunc(all, func(k store.SigningKey) bool { return k.ID == kid }) {
			return c.done(kid, "ended", "%s had ended before", quoted("signing key", kid))
		}
		err = errors.Join(err, listErr)
	}
	if err != nil {
		return about("signing key", kid, err)
	}
	return c.done(kid, "revoked", "%s is revoked", quoted("signing key", kid))
}

// showSigningKey prints a signing key.
func (c *call) showSigningKey(kid string) error {
	keys, err := c.db.SigningKeys(c.Context(), backend.KeySet)
	if err != nil {
		return err
	}
	views := viewSigningKeys(keys, time.Now())
	n := slices.IndexFunc(views, func(v signingKeyView) bool { return v.ID == kid })
	if n < 0 {
		return about("signing key", kid, store.ErrNotFound)
	}

	v := views[n]
	return cli.Print(c.Command, v, func(w io.Writer) {
		row(w, "ID", shown(v.ID))
		row(w, "Algorithm", shown(v.Alg))
		row(w, "State", v.State+": "+v.means())
		row(w, "Published", v.Published.text("-"))
		row(w, "Signs", v.Signs.text("-"))
		row(w, "Ends", v.Ends.text("-"))
	})
}
