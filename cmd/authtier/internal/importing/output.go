package importing

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
)

var errInterrupted = errors.New("interrupted")

// An input is the file, or standard input.
type input struct {
	io.Reader
	name string
	size int64 // -1 if it is not known
	file *os.File
}

func openInput(cmd *cobra.Command, file string) (*input, error) {
	if file == "-" {
		return &input{Reader: cmd.InOrStdin(), name: "standard input", size: -1}, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}

	in := &input{Reader: f, name: file, size: -1, file: f}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		in.size = info.Size()
	}
	return in, nil
}

// Close closes the file, but not standard input.
func (in *input) Close() error {
	if in.file == nil {
		return nil
	}
	return in.file.Close()
}

// An output counts the records, and reports faults and progress on standard error.
type output struct {
	name  string
	check bool
	errs  *bufio.Writer
	bar   *bar // nil if there is no terminal

	imported, already, newer, faulty int
	last                             int // the line up to which all is done
}

func newOutput(cmd *cobra.Command, in *input, check bool) *output {
	w := cmd.ErrOrStderr()
	return &output{name: in.name, check: check, errs: bufio.NewWriter(w), bar: newBar(w, in.size)}
}

// report reports the faults of a record, if there are any. All of its lines are faulty.
func (o *output) report(line, last int, faults []fault) {
	if len(faults) == 0 {
		return
	}
	o.faulty += last - line + 1
	if o.errs.Buffered() == 0 {
		o.bar.clear()
	}
	for _, f := range faults {
		place := fmt.Sprintf("%s: line %d", o.name, line)
		if last > line {
			place = fmt.Sprintf("%s: lines %d to %d", o.name, line, last)
		}
		if f.column != "" {
			place += ", column " + f.column
		}
		fmt.Fprintf(o.errs, "%s: %s\n", place, f.problem)
	}
}

// flush writes what was reported. An import whose faults nobody can see must not go on.
func (o *output) flush() error {
	if err := o.errs.Flush(); err != nil {
		return fmt.Errorf("reporting faulty lines: %w", err)
	}
	return nil
}

// finished says how far the import has come.
func (o *output) finished(read int64, line int) {
	o.last = line
	o.bar.set(read, o.imported+o.already+o.faulty)
}

// A summary is the output of the command as JSON.
type summary struct {
	Check          bool `json:"check"` // nothing was stored: imported would be
	Imported       int  `json:"imported"`
	AlreadyThere   int  `json:"already_there"`
	NewerPasswords int  `json:"newer_passwords"` // among those already there
	FaultyLines    int  `json:"faulty_lines"`
}

// summarize prints the summary.
func (o *output) summarize(cmd *cobra.Command) error {
	o.bar.clear()
	s := summary{o.check, o.imported, o.already, o.newer, o.faulty}
	return cli.Print(cmd, s, func(w io.Writer) {
		imported, newer := "imported", ""
		if o.check {
			imported = "could be imported"
		}
		if o.newer > 0 {
			newer = fmt.Sprintf(" (%s with a newer password)", humanize.Comma(int64(o.newer)))
		}
		fmt.Fprintf(w, "%s %s, %s already there%s, %s\n", humanize.Comma(int64(o.imported)), imported, humanize.Comma(int64(o.already)), newer, lines(o.faulty))
	})
}

// failure returns the error of the command, for an import that ended with err.
func (o *output) failure(err error) error {
	switch {
	case errors.Is(err, errInterrupted):
		return fmt.Errorf("%s: interrupted after line %d with %s imported: running the same command again resumes the import", o.name, o.last, humanize.Comma(int64(o.imported)))
	case err != nil:
		return fmt.Errorf("%s: ended after line %d with %s imported: %w; correct the cause and run the same command again: it skips what is stored already", o.name, o.last, humanize.Comma(int64(o.imported)), err)
	case o.faulty > 0:
		return fmt.Errorf("%s: %s: correct the file and run the command again", o.name, lines(o.faulty))
	}
	return nil
}

func lines(n int) string {
	if n == 1 {
		return "1 faulty line"
	}
	return humanize.Comma(int64(n)) + " faulty lines"
}
