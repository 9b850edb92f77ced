package importing

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// errHeader begins the errors of a file that cannot be imported at all.
var errHeader = errors.New("the file cannot be imported")

// columns are the columns that a file may have.
type columns struct {
	known    []string
	required []string
	oneOf    []string // at least one of these is required, if there are any
}

// A header has the place of each column in a row.
type header map[string]int

// readHeader reads line 1. Its errors name all faults.
func readHeader(rs *rows, c columns) (header, error) {
	first, err := rs.next()
	switch {
	case err == io.EOF:
		return nil, fmt.Errorf("%w: it is empty, expected a header with the columns %s", errHeader, strings.Join(c.known, ", "))
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errHeader, err)
	case len(first.faults) > 0:
		return nil, fmt.Errorf("%w: line %d: %s", errHeader, first.line, first.faults[0].problem)
	}

	h, errs, line := header{}, []error{}, first.line
	for n, name := range first.fields {
		switch _, twice := h[name]; {
		case twice:
			errs = append(errs, fmt.Errorf("line %d, column %s: it is there twice, expected it once", line, name))
		case slices.Contains(c.known, name):
			h[name] = n
		default:
			errs = append(errs, fmt.Errorf("line %d, column %s: it is unknown, expected %s", line, shown(name, n), strings.Join(c.known, ", ")))
		}
	}

	// A file without a header has secrets in line 1, which an error must not repeat.
	if len(h) == 0 {
		return nil, fmt.Errorf("%w: line %d: %s", errHeader, line, notHeader(first.fields, c))
	}
	for _, name := range c.required {
		if _, ok := h[name]; !ok {
			errs = append(errs, fmt.Errorf("line %d, column %s: it is missing", line, name))
		}
	}
	if len(c.oneOf) > 0 && !slices.ContainsFunc(c.oneOf, func(name string) bool { _, ok := h[name]; return ok }) {
		errs = append(errs, fmt.Errorf("line %d, column %s: it is missing", line, strings.Join(c.oneOf, " or ")))
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("%w: %w", errHeader, errors.Join(errs...))
	}
	return h, nil
}

func notHeader(fields []string, c columns) string {
	for _, separator := range []struct{ text, name string }{{";", "semicolons"}, {"\t", "tabs"}, {"|", "bars"}} {
		if len(fields) == 1 && slices.Contains(strings.Split(fields[0], separator.text), c.required[0]) {
			return "the columns are separated by " + separator.name + ", expected commas"
		}
	}
	return "it has none of the columns, expected a header with " + strings.Join(c.known, ", ")
}

var nameForm = regexp.MustCompile(`^[A-Za-z _-]{1,24}$`)

// shown returns the name of a column, unless it may be a value, and otherwise its number.
func shown(name string, n int) string {
	if nameForm.MatchString(name) {
		return name
	}
	return fmt.Sprintf("number %d", n+1)
}
