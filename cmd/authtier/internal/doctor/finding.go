package doctor

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
)

// The levels of findings.
const (
	good    = "ok"
	warning = "warning"
	fault   = "fault"
)

// A finding is one result of a check.
type finding struct {
	Level string `json:"level"`
	Check string `json:"check"`
	What  string `json:"what"`
	Do    string `json:"do,omitempty"` // what a person should do
}

// String returns the finding as one line that is safe to print.
func (f finding) String() string {
	line := fmt.Sprintf("%-7s  %s: %s", f.Level, f.Check, f.What)
	if f.Do != "" {
		line += ". " + strings.ToUpper(f.Do[:1]) + f.Do[1:] + "."
	}
	return cli.Printable(line)
}

// shown is the number of names that a finding has at most.
const shown = 5

// A tally counts the records that a finding is about, and keeps the first names.
type tally struct {
	n     int
	names []string
}

func (t *tally) add(name string) {
	t.n++
	if len(t.names) < shown {
		t.names = append(t.names, name)
	}
}

// String returns the names, such as "a", "b" and 3 more.
func (t *tally) String() string {
	var quoted []string
	for _, name := range t.names {
		quoted = append(quoted, fmt.Sprintf("%.80q", name))
	}
	text := strings.Join(quoted, ", ")
	if more := t.n - len(t.names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// A summary is the whole output as JSON.
type summary struct {
	Findings []finding `json:"findings"`
	Warnings int       `json:"warnings"`
	Faults   int       `json:"faults"`
}

func summarize(all []finding) summary {
	s := summary{Findings: slices.Clone(all)}
	for _, f := range all {
		switch f.Level {
		case warning:
			s.Warnings++
		case fault:
			s.Faults++
		}
	}
	return s
}

// err returns the error of the command, which is nil if there is no fault.
func (s summary) err() error {
	if s.Faults == 0 {
		return nil
	}
	return errors.New(cli.Plural(s.Faults, "fault") + " and " + cli.Plural(s.Warnings, "warning"))
}
