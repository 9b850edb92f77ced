// Command authtier serves a demonstration of the suite on a loopback address.
//
//	go run ./cmd/authtier demo
//	go run ./cmd/authtier version
package main

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run returns the exit status: 0 for success, 1 for a failure, 2 for wrong usage.
func run(args []string, stdout, stderr io.Writer) int {
	failed := false
	root := &cobra.Command{
		Use:           "authtier",
		Short:         "A demonstration of API keys, tokens, sessions and usage in front of a server",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}

	root.AddCommand(demoCommand(&failed), versionCommand())
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)

	if err := root.Execute(); err != nil {
		fmt.Fprintln(stderr, "authtier:", err)
		if failed {
			return 1
		}
		fmt.Fprintln(stderr, "See authtier --help.")
		return 2
	}
	return 0
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this binary",
		Args:  cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			version, goVersion := "unknown", "unknown"
			if info, ok := debug.ReadBuildInfo(); ok {
				version, goVersion = info.Main.Version, info.GoVersion
			}
			fmt.Fprintf(cmd.OutOrStdout(), "authtier %s %s\n", version, goVersion)
		},
	}
}
