package importing

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// fields are the fields of one row. They are valid until the next row is read.
type fields struct {
	header header
	values []string
}

// get returns a field, or "" if the file has no such column.
func (f fields) get(column string) string {
	if n, ok := f.header[column]; ok {
		return f.values[n]
	}
	return ""
}

// has reports whether the file has the column.
func (f fields) has(column string) bool {
	_, ok := f.header[column]
	return ok
}

// check returns the faults that fields of every kind can have.
func (f fields) check() (faults []fault) {
	if n := len(f.values); n != len(f.header) {
		hint := ""
		if n > len(f.header) {
			hint = ": perhaps a field with a comma, such as an argon2id hash, has no quotes around it"
		}
		return []fault{{"", fmt.Sprintf("it has %d fields, expected %d, one for each column of line 1%s", n, len(f.header), hint)}}
	}
	for column, n := range f.header {
		if problem := textProblem(f.values[n]); problem != "" {
			faults = append(faults, fault{column, problem})
		}
	}
	slices.SortFunc(faults, func(a, b fault) int { return strings.Compare(a.column, b.column) })
	return faults
}

func textProblem(s string) string {
	switch {
	case !utf8.ValidString(s):
		return "it is not UTF-8, expected UTF-8"
	case strings.IndexByte(s, 0) >= 0:
		return "it has the character NUL, expected text"
	case strings.ContainsAny(s, "\r\n"):
		return "it has a line break, expected text on one line: perhaps a quote is not closed"
	case strings.ContainsFunc(s, unicode.IsControl):
		return "it has a control character, expected text"
	}
	return ""
}

// scopesOf splits scopes at their blanks.
func scopesOf(s string) []string {
	return strings.FieldsFunc(strings.Clone(s), func(r rune) bool { return r == ' ' })
}

// sameScopes reports whether two lists have the same scopes in any order.
func sameScopes(a, b []string) bool {
	return slices.Equal(a, b) || slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// parts returns the errors that err joins, without what stands in front of them.
func parts(err error) []error {
	for err != nil {
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			return joined.Unwrap()
		}
		inner := errors.Unwrap(err)
		if inner == nil {
			return []error{err}
		}
		err = inner
	}
	return nil
}

// columnOf has the columns of the fields of records.
var columnOf = map[string]string{
	"ID": "id", "Client": "client", "Name": "name", "Scopes": "scopes", "Expires": "expires", "Digest": "sha256",
	"Login": "login", "Password": "hash", "First": "first", "Last": "last", "Lang": "lang",
}

// faultsOf returns the faults that the Check method of a record found. Each of them begins
// with the name of a field.
func faultsOf(err error) (faults []fault) {
	for _, e := range parts(err) {
		field, problem, _ := strings.Cut(e.Error(), " ")
		column, ok := columnOf[field]
		if !ok {
			problem = e.Error()
		}
		faults = append(faults, fault{column, "it " + problem})
	}
	return faults
}

// differing returns a fault for each column that differs from the stored record.
func differing(what string, names ...string) (faults []fault) {
	for _, column := range names {
		faults = append(faults, fault{column, "it differs from the stored " + what + ", expected the same: change the file or the stored " + what})
	}
	return faults
}
