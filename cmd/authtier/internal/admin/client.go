package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/store"
)

func clientGroup() *cobra.Command {
	g := newGroup(cobra.Command{
		Use:   "client",
		Short: "Manage clients: the applications that get tokens and own API keys",
		Long: `Manage clients: the applications that get tokens and own API keys.

A client may have only the scopes and grant types that it was given. A change
applies only to new tokens; existing tokens keep their scopes until they expire, unless you
run "client revoke".

A client authenticates with its ID and a secret. The secret is printed once, by create
or rotate-secret. Servers on the same store learn of every change within a second.`,
		Example: `  authtier client create billing --scope invoices:read --default invoices:read --grant client_credentials
  authtier client update billing --scope invoices:read --scope invoices:write
  authtier client rotate-secret billing --overlap 24h
  authtier client list --output json`,
	})
	g.addClientCreate()
	g.addClientUpdate()
	g.addClientViews()
	g.addClientSwitches()
	g.addClientSecrets()
	return g.cmd
}

// clientFlags are the properties of a client.
type clientFlags struct {
	scopes, defaults, grants       list
	noScopes, noDefaults, noGrants bool
}

func (f *clientFlags) add(cmd *cobra.Command) {
	cmd.Flags().Var(&f.scopes, "scope", "a scope that the client may have; repeat it, or give several with spaces between them")
	cmd.Flags().Var(&f.defaults, "default", "a scope that a token gets if its request names none; must be one of --scope")
	cmd.Flags().Var(&f.grants, "grant", "a grant type that the client may use: client_credentials, password or refresh_token")
	cmd.RegisterFlagCompletionFunc("scope", cobra.NoFileCompletions)
	cmd.RegisterFlagCompletionFunc("default", cobra.NoFileCompletions)
	cmd.RegisterFlagCompletionFunc("grant", cobra.FixedCompletions(grants, cobra.ShellCompDirectiveNoFileComp))
}

// addRemovals adds the flags that empty a list.
func (f *clientFlags) addRemovals(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.noScopes, "no-scopes", false, "take all scopes away; needs --no-defaults if there are default scopes")
	cmd.Flags().BoolVar(&f.noDefaults, "no-defaults", false, "take all default scopes away")
	cmd.Flags().BoolVar(&f.noGrants, "no-grants", false, "take all grant types away")
	cmd.MarkFlagsMutuallyExclusive("scope", "no-scopes")
	cmd.MarkFlagsMutuallyExclusive("default", "no-defaults")
	cmd.MarkFlagsMutuallyExclusive("grant", "no-grants")
}

// apply changes the properties that were given.
func (f *clientFlags) apply(c *store.Client) {
	for _, p := range []struct {
		list  *[]string
		given list
		none  bool
	}{
		{&c.Scopes, f.scopes, f.noScopes}, {&c.Default, f.defaults, f.noDefaults}, {&c.Grants, f.grants, f.noGrants},
	} {
		if len(p.given) > 0 || p.none {
			*p.list = p.given
		}
	}
}

func (g *group) addClientCreate() {
	var f clientFlags
	var noSecret bool
	cmd := g.add(cobra.Command{
		Use:   "create ID",
		Short: "Create a client and print its secret",
		Long: `Create a client and print its secret, which cannot be shown again.

Without --scope, the client gets no scopes. Without --grant, it cannot get tokens. With
--no-secret it has no secret: such a client can own API keys, but cannot get tokens until
rotate-secret gives it a secret.`,
		Example: `  authtier client create billing --scope "invoices:read invoices:write" --default invoices:read --grant client_credentials
  authtier client create partner --scope maps:read --no-secret`,
	}, g.withIssuer(func(c *call) error {
		client := store.Client{ID: c.args[0]}
		f.apply(&client)
		return c.createClient(client, noSecret)
	}), "ID")
	f.add(cmd)
	cmd.Flags().BoolVar(&noSecret, "no-secret", false, "create the client without a secret")
}

func (c *call) createClient(client store.Client, noSecret bool) error {
	if err := wrong("client", client.ID, client.Check()); err != nil {
		return err
	}
	if noSecret {
		if err := c.db.CreateClient(c.Context(), client); err != nil {
			return about("client", client.ID, err)
		}
		return c.showClient(client.ID)
	}

	secret, err := c.iss.CreateClient(c.Context(), client)
	if err != nil {
		return about("client", client.ID, err)
	}
	if err := c.showClientSecret(client.ID, secret); err != nil {
		// Nobody knows the secret, so the client must not stay.
		err = fmt.Errorf("the secret could not be printed, and the client is deleted again: %w", err)
		return errors.Join(err, c.db.DeleteClient(context.WithoutCancel(c.Context()), client.ID))
	}
	return nil
}

func (g *group) addClientUpdate() {
	var f clientFlags
	cmd := g.add(cobra.Command{
		Use:   "update ID",
		Short: "Change the scopes and grant types of a client",
		Long: `Change the scopes and grant types of a client.

Only what is given changes. A list that is given replaces the whole list; to empty it,
use --no-scopes, --no-defaults or --no-grants. Existing tokens keep their scopes until
they expire: to end them, run "client revoke" afterwards.`,
		Example: `  authtier client update billing --scope invoices:read --default invoices:read
  authtier client update billing --no-grants`,
	}, g.withStore(func(c *call) error {
		if err := c.changes(); err != nil {
			return err
		}
		return c.updateClient(f.apply)
	}), "ID")
	f.add(cmd)
	f.addRemovals(cmd)
	g.firstArg(cmd, clientIDs)
}

// updateClient changes the client of the first argument, and prints it.
func (c *call) updateClient(apply func(*store.Client)) error {
	id := c.args[0]
	err := c.db.UpdateClient(c.Context(), id, func(client *store.Client) error {
		old := *client // apply replaces lists and does not change them
		apply(client)
		return wrong("client", id, client.CheckUpdate(&old))
	})
	if err != nil {
		return about("client", id, err)
	}
	return c.showClient(id)
}

func (g *group) addClientSwitches() {
	for _, s := range []struct {
		verb, short, long string
		disabled          bool
	}{
		{"disable", "Refuse a client everywhere", "Refuse a client everywhere: its secrets, its API keys and its tokens. The tokens stay\nrefused after \"client enable\".", true},
		{"enable", "Admit a disabled client again", "Admit a disabled client again, with the same secrets and API keys. It needs new tokens.", false},
	} {
		cmd := g.add(cobra.Command{Use: s.verb + " ID", Short: s.short, Long: s.long}, g.withStore(func(c *call) error {
			return c.updateClient(func(client *store.Client) { client.Disabled = s.disabled })
		}), "ID")
		g.firstArg(cmd, clientIDs)
	}

	remove := g.add(cobra.Command{
		Use:   "delete ID",
		Short: "Delete a client, its secrets and its API keys, at once and without asking",
		Long: `Delete a client, its secrets and its API keys, at once and without asking. Its tokens are
refused from then on, even if a client of the same ID is created later.`,
	}, g.withStore(func(c *call) error {
		id := c.args[0]
		// The store does not say that there was nothing to delete.
		if _, err := c.db.Client(c.Context(), id); err != nil {
			return about("client", id, err)
		}
		if err := c.db.DeleteClient(c.Context(), id); err != nil {
			return err
		}
		return c.done(id, "deleted", "%s is deleted, with its secrets and API keys", quoted("client", id))
	}), "ID")
	g.firstArg(remove, clientIDs)

	revoke := g.add(cobra.Command{
		Use:   "revoke ID",
		Short: "Revoke all access and refresh tokens of a client",
		Long: `Revoke all access and refresh tokens of a client. Its secrets and API keys stay valid, and
the client can get new tokens. To prevent that, disable the client.`,
	}, g.withIssuer(func(c *call) error {
		id := c.args[0]
		if err := c.iss.RevokeClient(c.Context(), id); err != nil {
			return about("client", id, err)
		}
		return c.done(id, "revoked", "all tokens of %s are revoked; its secrets and API keys stay valid", quoted("client", id))
	}), "ID")
	g.firstArg(revoke, clientIDs)
}

func (g *group) addClientSecrets() {
	var o overlap
	rotate := g.add(cobra.Command{
		Use:   "rotate-secret ID",
		Short: "Give a client a new secret and print it",
		Long: `Give a client a new secret and print it. It cannot be shown again.

All other secrets of the client work for the time of --overlap, unless they expire
sooner. By default they end at once. Tokens of the client stay valid.`,
		Example: `  authtier client rotate-secret billing --overlap 24h`,
	}, g.withIssuer(func(c *call) error {
		id := c.args[0]
		secret, _, err := c.iss.RotateSecret(c.Context(), id, time.Duration(o))
		if err != nil {
			return unsure("client", id, "rotate-secret", err)
		}
		if err := c.showClientSecret(id, secret); err != nil {
			return fmt.Errorf("the new secret could not be printed: run rotate-secret again: %w", err)
		}
		return nil
	}), "ID")
	rotate.Flags().Var(&o, "overlap", "how long the other secrets go on working")
	rotate.RegisterFlagCompletionFunc("overlap", cobra.NoFileCompletions)
	g.firstArg(rotate, clientIDs)

	revoke := g.add(cobra.Command{
		Use:   "revoke-secret ID SECRET-ID",
		Short: "Revoke one secret of a client by the secret's ID",
		Long: `Revoke one secret of a client by the secret's ID, which "client show" prints. Tokens that
the client got with the secret stay valid; to end them, run "client revoke".`,
	}, g.withIssuer(func(c *call) error {
		id, secretID := c.args[0], c.args[1]
		if _, err := c.db.Client(c.Context(), id); err != nil {
			return about("client", id, err)
		}
		if err := c.iss.RevokeSecret(c.Context(), id, secretID); err != nil {
			return about(quoted("client", id)+": the secret", secretID, err)
		}
		return c.done(secretID, "revoked", "secret %q of %s is revoked", secretID, quoted("client", id))
	}), "ID", "SECRET-ID")
	g.firstArg(revoke, clientIDs)
}
