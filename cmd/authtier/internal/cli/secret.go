package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// maxSecret is the largest secret that is read, in bytes.
const maxSecret = 64 << 10

// ReadSecret reads a secret from the file, or from the command's input if file is "-". If
// file is empty, it asks for the secret at the terminal without showing it, and names what
// it asks for. One line end at the end is not part of the secret.
//
// flag is the name of the flag that has the file, for the error if there is no terminal.
func ReadSecret(cmd *cobra.Command, file, flag, what string) (string, error) {
	if file == "" {
		return prompt(cmd, flag, what)
	}

	in := cmd.InOrStdin()
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("--%s: %w", flag, err)
		}
		defer f.Close()
		in = f
	}

	b, err := io.ReadAll(io.LimitReader(in, maxSecret+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("reading %s: %w", what, err)
	case len(b) > maxSecret:
		return "", fmt.Errorf("--%s: %s is larger than %d bytes", flag, what, maxSecret)
	}
	return trim(b, flag, what)
}

// trim removes one line end, and refuses a secret that is empty or has several lines.
func trim(b []byte, flag, what string) (string, error) {
	b = bytes.TrimSuffix(b, []byte("\n"))
	b = bytes.TrimSuffix(b, []byte("\r"))
	switch {
	case len(b) == 0:
		return "", fmt.Errorf("--%s: %s is empty", flag, what)
	case bytes.ContainsAny(b, "\r\n"):
		return "", fmt.Errorf("--%s: %s has several lines, expected one", flag, what)
	}
	return string(b), nil
}

func prompt(cmd *cobra.Command, flag, what string) (string, error) {
	in, ok := cmd.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return "", Usagef("--%s is missing: expected a file with %s, or - for standard input", flag, what)
	}

	fmt.Fprintf(cmd.ErrOrStderr(), "%s: ", what)
	defer restoreAtSignal(int(in.Fd()))()
	b, err := term.ReadPassword(int(in.Fd()))
	fmt.Fprintln(cmd.ErrOrStderr())
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", what, err)
	}
	return trim(b, flag, what)
}

// restoreAtSignal makes a signal restore the terminal, which does not show what is typed
// while a secret is read, and then end the process. Call stop after the reading.
func restoreAtSignal(fd int) (stop func()) {
	state, err := term.GetState(fd)
	if err != nil {
		return func() {} // then it cannot be changed either
	}

	signals, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
			term.Restore(fd, state)
			os.Exit(1)
		case <-done:
		}
	}()
	return func() {
		signal.Stop(signals)
		close(done)
	}
}
