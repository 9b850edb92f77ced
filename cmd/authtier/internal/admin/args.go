package admin

import (
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
)

// secretForm matches text with a key, a secret or a token in it. The first form is that of
// the default prefix, even if a part is missing. The next two are those of any prefix, and
// the last one is that of a signed token.
var secretForm = regexp.MustCompile(`authtier_(?:key|cs|at|rt|st)_[0-9A-Za-z]{12,}` +
	`|_(?:key|cs)_[0-9A-Za-z]{12}_[0-9A-Za-z]{20,}` +
	`|_(?:at|rt|st)_[0-9A-Za-z]{40,}` +
	`|eyJ[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+\.`)

// leaked is the end of an error about a secret on the command line.
const leaked = "never pass the key or token itself, which other users of this machine can read there; replace or revoke this one"

// exactly accepts one argument for each name. It refuses keys and tokens, and never repeats
// an argument, which may be one.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := noSecrets(cmd, args, names); err != nil {
			return err
		}

		expected := "no argument"
		if len(names) > 0 {
			expected = strings.Join(names, " ")
		}
		if len(args) != len(names) {
			return cli.Usagef("expected %s, got %d arguments: see %s --help", expected, len(args), cmd.CommandPath())
		}
		for i, arg := range args {
			if arg == "" {
				return cli.Usagef("the argument %s is empty", names[i])
			}
		}
		return nil
	}
}

// noSecrets returns an error if an argument or the value of a flag looks like a key, a
// secret or a token.
func noSecrets(cmd *cobra.Command, args, names []string) error {
	for i, arg := range args {
		switch {
		case !secretForm.MatchString(arg):
		case i < len(names):
			return cli.Usagef("expected the ID for %s, and the argument looks like a key or token: %s", names[i], leaked)
		default:
			return cli.Usagef("an argument looks like a key or token: %s", leaked)
		}
	}

	var err error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		isFile := strings.HasSuffix(f.Name, "-file") || f.Name == "store"
		if err == nil && !isFile && secretForm.MatchString(f.Value.String()) {
			err = cli.Usagef("the value of --%s looks like a key or token: %s", f.Name, leaked)
		}
	})
	return err
}

// onlySubcommands refuses the arguments of a group, which are unknown subcommands.
func onlySubcommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if err := noSecrets(cmd, args, nil); err != nil {
		return err
	}
	var names []string
	for _, sub := range cmd.Commands() {
		names = append(names, sub.Name())
	}
	return cli.Usagef("unknown command %q, expected %s and one of %s", args[0], cmd.CommandPath(), strings.Join(names, ", "))
}

// flagError returns the error of a flag that could not be parsed, without a secret.
func flagError(cmd *cobra.Command, err error) error {
	if secretForm.MatchString(err.Error()) {
		return cli.Usagef("a flag looks like a key or token: %s", leaked)
	}
	return cli.Usagef("%w: see %s --help", err, cmd.CommandPath())
}

// ownFlags returns the names of the flags that only this command has, and whether one of
// them was given.
func ownFlags(cmd *cobra.Command) (names string, given bool) {
	var all []string
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" {
			all = append(all, "--"+f.Name)
			given = given || f.Changed
		}
	})
	return strings.Join(all, ", "), given
}
