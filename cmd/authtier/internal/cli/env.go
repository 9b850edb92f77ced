package cli

import (
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// annotation marks a flag that has a variable. Its value is the name of the variable.
const annotation = "authtier_variable"

// Env lets the environment set flags that the command line does not have. The variable of
// --key-file is AUTHTIER_KEY_FILE. A variable that is empty counts as not set. The value
// of a variable does not count as given on the command line ([pflag.FlagSet].Changed).
func Env(flags *pflag.FlagSet, names ...string) {
	for _, name := range names {
		f := flags.Lookup(name)
		variable := Variable(name)
		f.Usage += " (" + variable + ")"
		if f.Annotations == nil {
			f.Annotations = map[string][]string{}
		}
		f.Annotations[annotation] = []string{variable}
	}
}

// Variable returns the name of the variable for a flag.
func Variable(flag string) string {
	return "AUTHTIER_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// Place returns where the value of a flag comes from: its variable, if only that is set,
// and otherwise the flag.
func Place(cmd *cobra.Command, flag string) string {
	f := cmd.Flags().Lookup(flag)
	if f != nil && !f.Changed && len(f.Annotations[annotation]) > 0 && os.Getenv(Variable(flag)) != "" {
		return Variable(flag)
	}
	return "--" + flag
}

// UnknownVariables returns the variables of the environment that have the form of
// [Variable] and belong to no flag of any command.
func UnknownVariables(cmd *cobra.Command) (names []string) {
	known := knownVariables(cmd.Root())
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		if value != "" && strings.HasPrefix(name, Variable("")) && !slices.Contains(known, name) {
			names = append(names, name)
		}
	}
	return names
}

// knownVariables returns the variables of all flags of cmd and its subcommands.
func knownVariables(cmd *cobra.Command) (names []string) {
	add := func(f *pflag.Flag) { names = append(names, f.Annotations[annotation]...) }
	cmd.LocalFlags().VisitAll(add)
	for _, sub := range cmd.Commands() {
		names = append(names, knownVariables(sub)...)
	}
	return names
}

// checkSpelling refuses variables that differ from a known one by a single mistake.
func checkSpelling(cmd *cobra.Command) error {
	for _, name := range UnknownVariables(cmd) {
		for _, known := range knownVariables(cmd.Root()) {
			if isOneEdit(name, known) {
				return Usagef("%s is not a variable of authtier, expected %s", name, known)
			}
		}
	}
	return nil
}

// isOneEdit reports whether one character was added to a text, removed from it or replaced
// in it, or two neighbours were swapped.
func isOneEdit(a, b string) bool {
	if len(a) < len(b) {
		a, b = b, a
	}
	same := 0
	for same < len(b) && a[same] == b[same] {
		same++
	}
	if len(a) == len(b) {
		isSwap := same+1 < len(a) && a[same] == b[same+1] && a[same+1] == b[same] && a[same+2:] == b[same+2:]
		return isSwap || same < len(a) && a[same+1:] == b[same+1:]
	}
	return len(a) == len(b)+1 && a[same+1:] == b[same:]
}

// fromEnv sets the flags of cmd that have a variable, unless the command line has them.
// It does not repeat a wrong value, which may be a secret.
func fromEnv(cmd *cobra.Command) error {
	if err := checkSpelling(cmd); err != nil {
		return err
	}

	var wrong []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		variable := f.Annotations[annotation]
		if f.Changed || len(variable) == 0 {
			return
		}
		value := os.Getenv(variable[0])
		if value == "" {
			return
		}
		if err := f.Value.Set(value); err != nil {
			expected := kind(f)
			if expected == "" {
				expected = "a value as for --" + f.Name
			}
			wrong = append(wrong, variable[0]+": expected "+expected)
		}
	})

	if len(wrong) > 0 {
		slices.Sort(wrong)
		return Usagef("%s", strings.Join(wrong, "; "))
	}
	return nil
}

// kind describes the values of a flag of a common type, and is "" for other flags.
func kind(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "bool":
		return "true or false"
	case "duration":
		return `a duration such as "30s" or "5m"`
	case "int", "int64":
		return "a number"
	case "stringSlice":
		return "a list with commas"
	}
	return ""
}
