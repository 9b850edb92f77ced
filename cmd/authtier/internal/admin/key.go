package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/store"
)

func keyGroup() *cobra.Command {
	g := newGroup(cobra.Command{
		Use:   "key",
		Short: "Manage API keys",
		Long: `Manage API keys. A key belongs to a client, and has at most the scopes of the client.

The key itself is printed once, by create or rotate. All commands name a key by its ID,
which is the part of 12 characters between the last two underscores of the key. An imported
key has the ID that its CSV file gave it. Never pass the key itself. Servers on the same store learn of every change within a second.`,
		Example: `  authtier key create --client billing --name "nightly export" --scope invoices:read --expires 30d
  authtier key list --client billing
  authtier key rotate 4fYk2Lw9QzX0 --overlap 24h
  authtier key revoke 4fYk2Lw9QzX0`,
	})
	g.addKeyCreate()
	g.addKeyUpdate()
	g.addKeyViews()
	g.addKeyEnds()
	return g.cmd
}

// keyFlags are the properties of an API key.
type keyFlags struct {
	name, owner                   string
	scopes                        list
	networks                      networks
	expires                       expiry
	noScopes, noOwner, anyNetwork bool
}

func (g *group) addKeyFlags(f *keyFlags, cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.name, "name", "", "a description for people")
	flags.Var(&f.scopes, "scope", "a scope of the key, which the client must have; repeat it, or give several with spaces between them")
	flags.Var(&f.expires, "expires", "when the key ends: a date (00:00 UTC of that day), a time such as 2030-01-31T12:00:00Z, or a duration from now such as 30d")
	flags.StringVar(&f.owner, "owner", "", "the login of the user who is responsible for the key; the key is revoked when that user is revoked or deleted")
	flags.Var(&f.networks, "network", "a network or an address from which the key may be used; repeat it for several")
	for _, name := range []string{"name", "scope", "expires", "network"} {
		cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
	}
	g.flag(cmd, "owner", logins)
}

// apply changes the properties that were given.
func (f *keyFlags) apply(c *call, k *store.APIKey) {
	if c.changed("name") {
		k.Name = f.name
	}
	if c.changed("owner") || f.noOwner {
		k.Owner = f.owner
	}
	if c.changed("scope") || f.noScopes {
		k.Scopes = f.scopes
	}
	if c.changed("network") || f.anyNetwork {
		k.Addrs = f.networks
	}
	if c.changed("expires") {
		k.Expires = f.expires.Time
	}
}

// checkOwner returns an error if there is no user of that login. An empty value is
// probably a variable of a script that is not set, and would leave the key without an owner.
func (f *keyFlags) checkOwner(c *call) error {
	if !c.changed("owner") {
		return nil
	}
	if f.owner == "" {
		return cli.Usagef("--owner is empty, expected the login of a user")
	}
	if _, err := c.db.User(c.Context(), f.owner); err != nil {
		return fmt.Errorf("--owner: %w", about("user", f.owner, err))
	}
	return nil
}

func (g *group) addKeyCreate() {
	var f keyFlags
	var client string
	cmd := g.add(cobra.Command{
		Use:   "create --client ID",
		Short: "Create an API key and print it",
		Long: `Create an API key and print it. It cannot be shown again.

Without --scope the key has no scopes. A route that requires a scope refuses such a key,
but a token endpoint behind API keys (Config.BehindAPIKey) gives it tokens for any scope of
its client. Without
--expires the key never expires, and without --network it works from everywhere.`,
		Example: `  authtier key create --client billing --name "nightly export" --scope invoices:read --expires 2030-01-31
  authtier key create --client partner --scope maps:read --owner ada --network 192.0.2.0/24 --network 2001:db8::/32`,
	}, g.withIssuer(func(c *call) error {
		if client == "" {
			return cli.Usagef("--client is missing, expected the ID of the client that the key belongs to")
		}
		k := store.APIKey{Client: client}
		f.apply(c, &k)
		return c.createKey(k, &f)
	}))
	cmd.Flags().StringVar(&client, "client", "", "the ID of the client that the key belongs to; required")
	g.flag(cmd, "client", clientIDs)
	g.addKeyFlags(&f, cmd)
}

func (c *call) createKey(k store.APIKey, f *keyFlags) error {
	// The issuer makes the ID and the digest, which Check expects.
	checked := k
	checked.ID, checked.Digest = "new", store.DigestOf("new")
	if err := wrong("API key", checked.ID, checked.Check()); err != nil {
		return err
	}
	client, err := c.db.Client(c.Context(), k.Client)
	if err != nil {
		return fmt.Errorf("--client: %w", about("client", k.Client, err))
	}
	for _, scope := range k.Scopes {
		if !slices.Contains(client.Scopes, scope) {
			return cli.Usagef("--scope has %q, expected only scopes of the client: %s", scope, words(client.Scopes))
		}
	}
	if err := f.checkOwner(c); err != nil {
		return err
	}

	key, err := c.iss.CreateAPIKey(c.Context(), k)
	if err != nil {
		return about("client", k.Client, err)
	}
	id := keyID(key)
	if err := c.showNewKey(id, key); err != nil {
		// Nobody knows the key, so it must not stay.
		err = fmt.Errorf("the key could not be printed, and is revoked again: %w", err)
		return errors.Join(err, c.iss.RevokeAPIKey(context.WithoutCancel(c.Context()), id))
	}
	return nil
}

// keyID returns the ID that is in a key.
func keyID(key string) string {
	parts := strings.Split(key, "_")
	return parts[len(parts)-2]
}

func (g *group) addKeyUpdate() {
	var f keyFlags
	cmd := g.add(cobra.Command{
		Use:   "update KEY-ID",
		Short: "Change the name, scopes, owner, networks or end of an API key",
		Long: `Change the name, scopes, owner, networks or end of an API key. The key itself stays.

Only what is given changes. --scope and --network replace the whole list. --no-scopes,
--no-owner and --any-network empty what they name, and --name "" removes the description. The
end of a key can only be moved to an earlier time: to let a key live longer, rotate it.`,
		Example: `  authtier key update 4fYk2Lw9QzX0 --name "weekly export" --scope invoices:read
  authtier key update 4fYk2Lw9QzX0 --expires 24h
  authtier key update 4fYk2Lw9QzX0 --any-network`,
	}, g.withStore(func(c *call) error {
		if err := c.changes(); err != nil {
			return err
		}
		if err := f.checkOwner(c); err != nil {
			return err
		}
		return c.updateKey(&f)
	}), "KEY-ID")
	g.addKeyFlags(&f, cmd)
	cmd.Flags().BoolVar(&f.noScopes, "no-scopes", false, "take all scopes away")
	cmd.Flags().BoolVar(&f.noOwner, "no-owner", false, "remove the owner")
	cmd.Flags().BoolVar(&f.anyNetwork, "any-network", false, "let the key work from everywhere")
	cmd.MarkFlagsMutuallyExclusive("scope", "no-scopes")
	cmd.MarkFlagsMutuallyExclusive("owner", "no-owner")
	cmd.MarkFlagsMutuallyExclusive("network", "any-network")
	g.firstArg(cmd, keyIDs)
}

func (c *call) updateKey(f *keyFlags) error {
	id := c.args[0]
	err := c.db.UpdateAPIKey(c.Context(), id, func(k *store.APIKey) error {
		old := *k // apply replaces lists and does not change them
		f.apply(c, k)
		return wrong("API key", id, k.CheckUpdate(&old))
	})
	if err != nil {
		return about("API key", id, err)
	}
	return c.showKey(id)
}

func (g *group) addKeyEnds() {
	var o overlap
	rotate := g.add(cobra.Command{
		Use:   "rotate KEY-ID",
		Short: "Replace an API key with a new one, and print the new one",
		Long: `Replace an API key with a new one, and print the new one. It cannot be shown again.

The new key has a new ID, and the client, name, owner, scopes, networks and full lifetime
of the old one. The old key works for the time of --overlap, unless it expires sooner. By
default it ends at once.`,
		Example: `  authtier key rotate 4fYk2Lw9QzX0 --overlap 24h`,
	}, g.withIssuer(func(c *call) error {
		id := c.args[0]
		key, record, err := c.iss.RotateAPIKey(c.Context(), id, time.Duration(o))
		if err != nil {
			return unsure("API key", id, "rotate", err)
		}
		if err := c.showNewKey(record.ID, key); err != nil {
			return fmt.Errorf("the new key could not be printed: run rotate again, for %q: %w", record.ID, err)
		}
		return nil
	}), "KEY-ID")
	rotate.Flags().Var(&o, "overlap", "how long the old key goes on working")
	rotate.RegisterFlagCompletionFunc("overlap", cobra.NoFileCompletions)
	g.firstArg(rotate, keyIDs)

	revoke := g.add(cobra.Command{
		Use:     "revoke KEY-ID",
		Short:   "Revoke an API key, at once and without asking",
		Long:    `Revoke an API key, at once and without asking. It is deleted and can never be valid again.`,
		Example: `  authtier key revoke 4fYk2Lw9QzX0`,
	}, g.withIssuer(func(c *call) error {
		id := c.args[0]
		if err := c.iss.RevokeAPIKey(c.Context(), id); err != nil {
			return about("API key", id, err)
		}
		return c.done(id, "revoked", "%s is revoked", quoted("API key", id))
	}), "KEY-ID")
	g.firstArg(revoke, keyIDs)
}
