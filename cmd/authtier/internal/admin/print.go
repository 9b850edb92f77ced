package admin

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
)

// A stamp is a time in the output: in UTC, in the form of RFC 3339, to the second.
type stamp struct{ time.Time }

// MarshalJSON implements [json.Marshaler]. A zero time is null.
func (s stamp) MarshalJSON() ([]byte, error) {
	if s.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(s.text(""))
}

// text returns the time, or none if there is no time.
func (s stamp) text(none string) string {
	if s.IsZero() {
		return none
	}
	return s.UTC().Format(time.RFC3339)
}

// shown returns a text for a terminal. Old records may have names that would move the
// cursor or change what other lines look like.
func shown(s string) string {
	if s == "" {
		return "-"
	}
	return cli.Printable(s)
}

// words returns a list for a terminal.
func words(list []string) string { return shown(strings.Join(list, " ")) }

// yes returns a bool for a terminal.
func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// orEmpty returns a list that JSON shows as [] if it is empty.
func orEmpty[T any](list []T) []T { return append([]T{}, list...) }

// row writes the cells of a line.
func row(w io.Writer, cells ...string) { fmt.Fprintln(w, strings.Join(cells, "\t")) }

// A result says what a command did, in JSON.
type result struct {
	ID     string `json:"id"`
	Result string `json:"result"`
}

// done prints what a command did to a record.
func (c *call) done(id, word, format string, args ...any) error {
	return cli.Print(c.Command, result{id, word}, func(w io.Writer) { fmt.Fprintf(w, format+"\n", args...) })
}

// note tells people something that is not part of the output.
func (c *call) note(format string, args ...any) {
	fmt.Fprintf(c.ErrOrStderr(), format+"\n", args...)
}

// once is the note about a secret that was printed.
const once = "Store the %s now: it cannot be shown again."

// listAll returns all records, page by page.
func listAll[T any](page func(after string, limit int) ([]T, error), name func(T) string) ([]T, error) {
	const limit = 1000
	all := []T{}
	for after := ""; ; after = name(all[len(all)-1]) {
		more, err := page(after, limit)
		if err != nil {
			return nil, err
		}
		if len(more) == 0 {
			return all, nil
		}
		all = append(all, more...)
	}
}
