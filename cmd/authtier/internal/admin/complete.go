package admin

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/backend"
	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/store"
)

// completionTime limits how long a shell waits for completions.
const completionTime = time.Second

// A lister returns the completions for the beginning of a word.
type lister func(ctx context.Context, db backend.Store, begin string) []cobra.Completion

// firstArg completes the first argument of a command from the store.
func (g *group) firstArg(cmd *cobra.Command, l lister) {
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, begin string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return g.complete(cmd, begin, l), cobra.ShellCompDirectiveNoFileComp
	}
}

// flag completes the value of a flag from the store.
func (g *group) flag(cmd *cobra.Command, name string, l lister) {
	cmd.RegisterFlagCompletionFunc(name, func(cmd *cobra.Command, _ []string, begin string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return g.complete(cmd, begin, l), cobra.ShellCompDirectiveNoFileComp
	})
}

// complete asks the store. If it does not answer in time, there are no completions.
func (g *group) complete(cmd *cobra.Command, begin string, l lister) (found []cobra.Completion) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()

	// Run also applies the environment. A shell has no use for an error here.
	_ = cli.Run(func(cmd *cobra.Command, _ []string) error {
		db, err := g.Open(ctx, cmd)
		if err != nil {
			return err
		}
		defer db.Close()
		found = l(ctx, db, begin)
		return nil
	})(cmd, nil)
	return found
}

// completions is the largest number of completions.
const completions = 100

func clientIDs(ctx context.Context, db backend.Store, begin string) (found []cobra.Completion) {
	if _, err := db.Client(ctx, begin); err == nil {
		found = append(found, begin)
	}
	clients, _ := db.ListClients(ctx, begin, completions)
	for _, c := range clients {
		found = append(found, c.ID)
	}
	return matching(found, begin)
}

func logins(ctx context.Context, db backend.Store, begin string) (found []cobra.Completion) {
	if _, err := db.User(ctx, begin); err == nil {
		found = append(found, begin)
	}
	users, _ := db.ListUsers(ctx, begin, completions)
	for _, u := range users {
		found = append(found, u.Login)
	}
	return matching(found, begin)
}

func keyIDs(ctx context.Context, db backend.Store, begin string) (found []cobra.Completion) {
	keys, _ := db.ListAPIKeys(ctx, "", begin, completions)
	if k, err := db.APIKeyByID(ctx, begin); err == nil {
		keys = append(keys, *k)
	}
	for _, k := range keys {
		found = append(found, cobra.CompletionWithDesc(k.ID, shown(k.Name)+" of "+shown(k.Client)))
	}
	return matching(found, begin)
}

func signingKeyIDs(ctx context.Context, db backend.Store, begin string) (found []cobra.Completion) {
	keys, _ := db.SigningKeys(ctx, backend.KeySet)
	for _, k := range keys {
		found = append(found, cobra.CompletionWithDesc(k.ID, k.Alg))
	}
	return matching(found, begin)
}

// matching returns the completions that begin with begin. It leaves out names that a
// terminal cannot show.
func matching(found []cobra.Completion, begin string) (kept []cobra.Completion) {
	for _, c := range found {
		id, _, _ := strings.Cut(c, "\t")
		if strings.HasPrefix(id, begin) && shown(id) == id {
			kept = append(kept, c)
		}
	}
	return kept
}

// grants are the completions of --grant.
var grants = []cobra.Completion{store.GrantClientCredentials, store.GrantPassword, store.GrantRefreshToken}
