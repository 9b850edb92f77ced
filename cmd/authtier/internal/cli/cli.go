// Package cli holds what the commands have in common: exit statuses, settings from the
// environment, secrets that are read without being shown, and output as text or JSON.
//
//	cmd.RunE = cli.Run(func(cmd *cobra.Command, args []string) error { ... })
//	os.Exit(cli.Execute(context.Background(), root))
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

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

// Execute runs a root command, prints its error on one line and returns the exit status.
// After a wrong command line, it names the help to read.
func Execute(ctx context.Context, root *cobra.Command) int {
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetFlagErrorFunc(flagError)

	// A command whose output nobody reads gets an error, and can undo what it did.
	signal.Ignore(syscall.SIGPIPE)

	cmd, err := root.ExecuteContextC(ctx)
	status := Status(err)
	if err != nil {
		fmt.Fprintln(root.ErrOrStderr(), "authtier:", OneLine(err))
	}
	if status == 2 {
		fmt.Fprintf(root.ErrOrStderr(), "See %s --help.\n", cmd.CommandPath())
	}
	return status
}

// OneLine returns the text of an error on one line. Joined errors have a line each.
func OneLine(err error) string {
	var b strings.Builder
	for line := range strings.Lines(err.Error()) {
		switch line = strings.TrimSpace(line); {
		case line == "":
			continue
		case b.Len() > 0 && strings.HasSuffix(b.String(), ":"):
			b.WriteString(" ")
		case b.Len() > 0:
			b.WriteString("; ")
		}
		b.WriteString(line)
	}
	return b.String()
}

// An Advice is an error and the way to mend it.
type Advice struct {
	Err error
	Do  string // an instruction, such as "run authtier init"
}

func (a *Advice) Error() string { return a.Err.Error() + ": " + a.Do }

// Unwrap returns the error without the advice.
func (a *Advice) Unwrap() error { return a.Err }

// UntilSignal returns a context that ends at SIGINT or SIGTERM. A second signal ends the
// process at once. Call stop when the command has ended.
func UntilSignal(cmd *cobra.Command) (ctx context.Context, stop context.CancelFunc) {
	ctx, stop = signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
