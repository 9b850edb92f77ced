// Package cli holds what the commands have in common: exit statuses, settings from the
// environment, secrets that are read without being shown, and output as text or JSON.
//
//	cmd.RunE = cli.Run(func(cmd *cobra.Command, args []string) error { ... })
//	os.Exit(cli.Status(root.Execute()))
package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// A usageError says that the command line or the environment is wrong.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// Usagef returns an error for a flag, an argument or a variable that is wrong. The process
// then exits with status 2.
func Usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// A failure says that a command was understood and did not succeed.
type failure struct{ error }

func (e failure) Unwrap() error { return e.error }

// Run returns f for the RunE of a command. Before f, it sets the flags that the command
// line does not have from the environment, see [Env].
func Run(f func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := fromEnv(cmd); err != nil {
			return err
		}

		err := f(cmd, args)
		if _, isUsage := errors.AsType[usageError](err); err == nil || isUsage {
			return err
		}
		return failure{err}
	}
}

// Status returns the exit status for the error of a command: 0 for none, 1 for a command
// that failed, and 2 for a wrong command line or environment.
func Status(err error) int {
	_, failed := errors.AsType[failure](err)
	switch {
	case err == nil:
		return 0
	case failed:
		return 1
	}
	return 2
}
