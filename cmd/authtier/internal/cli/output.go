package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// A form is the value of --output.
type form string

// Set implements [pflag.Value].
func (f *form) Set(s string) error {
	if s != "text" && s != "json" {
		return errors.New("expected text or json")
	}
	*f = form(s)
	return nil
}

// String implements [pflag.Value].
func (f *form) String() string { return string(*f) }

// Type implements [pflag.Value].
func (f *form) Type() string { return "FORM" }

// AddOutput adds the flag --output to cmd and its subcommands. [Print] reads it.
func AddOutput(cmd *cobra.Command) {
	f := form("text")
	cmd.PersistentFlags().Var(&f, "output", "how to print: text or json")
	cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
}

// IsJSON reports whether --output is json.
func IsJSON(cmd *cobra.Command) bool {
	f := cmd.Flags().Lookup("output")
	return f != nil && f.Value.String() == "json"
}

// Print prints v as one JSON value if --output is json, and otherwise calls text. What
// text writes is aligned at its tabs.
func Print(cmd *cobra.Command, v any, text func(w io.Writer)) error {
	if IsJSON(cmd) {
		e := json.NewEncoder(cmd.OutOrStdout())
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			return fmt.Errorf("printing: %w", err)
		}
		return nil
	}

	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	text(w)
	if err := w.Flush(); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}
