package cli

import (
	"errors"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// secretForm matches text with a key, a secret or a token in it. The first form is that of
// the default prefix, even if a part is missing. The next two are those of any prefix, and
// the last one is that of a signed token.
var secretForm = regexp.MustCompile(`authtier_(?:key|cs|at|rt|st)_[0-9A-Za-z]{12,}` +
	`|_(?:key|cs)_[0-9A-Za-z]{12}_[0-9A-Za-z]{20,}` +
	`|_(?:at|rt|st)_[0-9A-Za-z]{40,}` +
	`|eyJ[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+\.`)

// leaked is the end of an error about a secret on the command line.
const leaked = "never put a key or token on the command line, where other users of this machine can read it; replace or revoke this one"

// Args accepts one argument for each name. It refuses keys and tokens, and never repeats an
// argument, which may be one.
func Args(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := noSecrets(cmd, args, names); err != nil {
			return err
		}

		expected := "no argument"
		if len(names) > 0 {
			expected = strings.Join(names, " ")
		}
		if len(args) != len(names) {
			return Usagef("expected %s, got %s", expected, Plural(len(args), "argument"))
		}
		for i, arg := range args {
			if arg == "" {
				return Usagef("the argument %s is empty", names[i])
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
		case !IsSecret(arg):
		case i < len(names):
			return Usagef("expected the ID for %s, and the argument looks like a key or token: %s", names[i], leaked)
		default:
			return Usagef("an argument looks like a key or token: %s", leaked)
		}
	}

	var err error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		isFile := strings.HasSuffix(f.Name, "-file") || f.Name == "store"
		if err == nil && !isFile && IsSecret(f.Value.String()) {
			err = Usagef("the value of --%s looks like a key or token: %s", f.Name, leaked)
		}
	})
	return err
}

// IsSecret reports whether a text looks as if it held a key, a secret or a token.
func IsSecret(text string) bool { return secretForm.MatchString(text) }

// Group makes cmd a command that has only subcommands. Without one, it prints its help.
func Group(cmd *cobra.Command) {
	cmd.Args = onlySubcommands
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
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
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	for distance := range 3 { // the nearest one
		cmd.SuggestionsMinimumDistance = distance
		if similar := cmd.SuggestionsFor(args[0]); len(similar) > 0 {
			return Usagef("unknown command %q, perhaps %s %s", args[0], cmd.CommandPath(), similar[0])
		}
	}
	return Usagef("unknown command %q, expected %s and one of %s", args[0], cmd.CommandPath(), strings.Join(names, ", "))
}

// flagError returns the error of a flag that could not be parsed, without a secret.
func flagError(_ *cobra.Command, err error) error {
	if IsSecret(err.Error()) {
		return Usagef("a flag looks like a key or token: %s", leaked)
	}
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok && len(unknown.GetSpecifiedShortnames()) > 0 {
		return Usagef("unknown flag -%.1s", unknown.GetSpecifiedName()) // the rest may be a password
	}
	wrong, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return Usagef("%w", err)
	}

	// The errors of package strconv do not say what was expected. The value is not repeated:
	// it may be the password for --no-password=....
	f := wrong.GetFlag()
	if k := kind(f); k != "" {
		return Usagef("--%s: expected %s", f.Name, k)
	}
	return Usagef("--%s: %q: %w", f.Name, wrong.GetValue(), wrong.Unwrap())
}
