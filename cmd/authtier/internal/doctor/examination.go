package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/backend"
	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/middleware/idp"
	"github.com/authtier/authtier/store"
)

// A check looks at one part of an installation and adds its findings. An error means that
// it could not look.
type check struct {
	name       string
	needsStore bool
	run        func(e *examination, ctx context.Context) error
}

// checks are all checks, in their order. The first one opens the store.
var checks = []check{
	{"store", false, (*examination).checkStore},
	{"store file", false, (*examination).checkStoreFile},
	{"clock", true, (*examination).checkClock},
	{"changes", true, (*examination).checkChanges},
	{"key file", true, (*examination).checkKeyFile},
	{"signing keys", true, (*examination).checkSigningKeys},
	{"trusted issuers", false, (*examination).checkTrusted},
	{"clients", true, (*examination).checkClients},
	{"users", true, (*examination).checkUsers},
	{"journal", false, (*examination).checkJournal},
	{"usage", true, (*examination).checkUsage},
}

// An examination is one run of the command.
type examination struct {
	cmd      *cobra.Command
	flags    *backend.Flags
	usageDir string
	trusted  []idp.Config

	db   store.Store // nil until it is open
	page int         // how many records are read at once
	now  func() time.Time

	// freeBytes returns the free space of the file system of a folder, and false if it is
	// not known.
	freeBytes func(folder string) (bytes uint64, ok bool)

	current  string        // the name of the check that runs
	found    func(finding) // called for each finding
	findings []finding
	close    func() error // of the store
}

func newExamination(cmd *cobra.Command, f *backend.Flags) *examination {
	return &examination{cmd: cmd, flags: f, page: 500, now: time.Now, freeBytes: freeBytes, found: func(finding) {}, close: func() error { return nil }}
}

// add adds a finding of the check that runs. do may be empty.
func (e *examination) add(level, do, what string, args ...any) {
	f := finding{Level: level, Check: e.current, What: fmt.Sprintf(what, args...), Do: do}
	e.findings = append(e.findings, f)
	e.found(f)
}

// addError adds an error as a fault, with its advice. The format has one %s.
func (e *examination) addError(format string, err error) {
	do := ""
	if a, ok := errors.AsType[*cli.Advice](err); ok {
		err, do = a.Err, a.Do
	}
	e.add(fault, do, format, cli.OneLine(err))
}

// report runs all checks and prints the findings. It returns an error if there is a fault.
func (e *examination) report(cmd *cobra.Command) error {
	var printErr error
	if !cli.IsJSON(cmd) {
		// A check may take long, so that each finding is printed at once.
		e.found = func(f finding) {
			if _, err := fmt.Fprintln(cmd.OutOrStdout(), f); err != nil {
				printErr = fmt.Errorf("printing: %w", err)
			}
		}
	}

	if err := e.run(cmd.Context()); err != nil {
		return err
	}
	s := summarize(e.findings)
	if cli.IsJSON(cmd) {
		if err := cli.Print(cmd, s, func(io.Writer) {}); err != nil {
			return err
		}
	}
	return errors.Join(s.err(), printErr)
}

// run runs all checks. It returns an error only if ctx ends.
func (e *examination) run(ctx context.Context) error {
	defer func() { e.close() }()
	for _, c := range checks {
		// Without a store, its own finding says enough.
		if c.needsStore && e.db == nil {
			continue
		}
		e.current = c.name
		err := c.run(e, ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			e.addError("the check failed: %s", err)
		}
	}
	return nil
}
