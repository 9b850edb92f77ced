package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// AddOutput adds the flag --output, which [Print] reads.
func AddOutput(cmd *cobra.Command) {
	cmd.PersistentFlags().String("output", "text", `how to print: "text" or "json"`)
	cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
}

// CheckOutput returns an error if --output is neither text nor json. Commands that write
// call it before they write.
func CheckOutput(cmd *cobra.Command) error {
	if o, _ := cmd.Flags().GetString("output"); o != "text" && o != "json" {
		return Usagef("--output %q: expected text or json", o)
	}
	return nil
}

// Print prints v as one JSON value if --output is json, and otherwise calls text. What
// text writes is aligned at its tabs.
func Print(cmd *cobra.Command, v any, text func(w io.Writer)) error {
	if err := CheckOutput(cmd); err != nil {
		return err
	}
	if o, _ := cmd.Flags().GetString("output"); o == "json" {
		e := json.NewEncoder(cmd.OutOrStdout())
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(v)
	}

	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	text(w)
	if err := w.Flush(); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}
