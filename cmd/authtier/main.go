// Command authtier serves and administers an authorization server.
//
//	authtier init     makes a store, a first client, a user and an API key
//	authtier serve    serves them
//	authtier demo     shows everything with made-up credentials, from memory
//	authtier --help   lists the other commands
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/admin"
	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/cmd/authtier/internal/doctor"
	"github.com/authtier/authtier/cmd/authtier/internal/importing"
	"github.com/authtier/authtier/cmd/authtier/internal/serve"
	"github.com/authtier/authtier/cmd/authtier/internal/setup"
	"github.com/authtier/authtier/cmd/authtier/internal/usage"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

const long = `authtier is an authorization server: OAuth 2.0 tokens, API keys, sessions and usage counts.

  authtier init     makes a store, a key file, and a first client, user and API key
  authtier serve    serves them at http://127.0.0.1:8080
  authtier demo     serves a demonstration from memory

The other commands administer the same store, also while servers run. By default the store
is the file auth.db in the current folder; AUTHTIER_STORE or --store names another.

The exit status is 0 for success, 1 for a failure, such as a store that cannot be used, and
2 for a wrong command line or variable.`

// newRoot returns the command with all of its commands.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "authtier",
		Short: "An authorization server with API keys, tokens, sessions and usage counts",
		Long:  long,
	}
	cli.Group(root)

	root.AddCommand(setup.Command(), serve.Command(), usage.Command(), importing.Command(), doctor.Command(), demoCommand(), versionCommand())
	root.AddCommand(admin.Commands()...)
	return root
}

// run returns the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)

	return cli.Execute(context.Background(), root)
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this binary",
		Args:  cli.Args(),
		Run: func(cmd *cobra.Command, _ []string) {
			version, goVersion := "unknown", "unknown"
			if info, ok := debug.ReadBuildInfo(); ok {
				version, goVersion = info.Main.Version, info.GoVersion
			}
			fmt.Fprintf(cmd.OutOrStdout(), "authtier %s %s\n", version, goVersion)
		},
	}
}
