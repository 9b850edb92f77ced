package importing

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// A fault says what is wrong with a line of the file. It never repeats a value that may be
// a secret.
type fault struct {
	column  string // may be empty
	problem string
}

// rows reads a CSV file, row by row.
type rows struct {
	tape *tape
	csv  *csv.Reader
	done int64 // the offset of csv up to which the tape has forgotten
}

var (
	bom     = []byte("\xef\xbb\xbf")
	utf16LE = []byte("\xff\xfe")
	utf16BE = []byte("\xfe\xff")
)

// newRows skips the mark at the beginning that Excel writes.
func newRows(r io.Reader) (*rows, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	begin, err := b.Peek(len(bom))
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("%w: %w", errHeader, err)
	}
	if bytes.HasPrefix(begin, utf16LE) || bytes.HasPrefix(begin, utf16BE) {
		return nil, fmt.Errorf("%w: the file is UTF-16, expected UTF-8", errHeader)
	}

	if bytes.Equal(begin, bom) {
		b.Discard(len(bom))
	}
	rs := &rows{tape: &tape{r: b, line: 1}}
	rs.restart()
	return rs, nil
}

// restart begins to read at the place of the tape.
func (r *rows) restart() {
	r.csv = csv.NewReader(r.tape)
	r.csv.FieldsPerRecord = -1 // the number is checked here, for a better message
	r.csv.ReuseRecord = true
	r.done = 0
}

// A row is one record of the file. Its fields are valid until the next call.
type row struct {
	line, last int // the numbers of its first and its last line
	fields     []string
	faults     []fault // it is not CSV
}

// next returns the next row. The error is [io.EOF] after the last one.
func (r *rows) next() (row, error) {
	r.settle()
	fields, err := r.csv.Read()
	line := r.tape.lineOf()
	broken, isCSV := errors.AsType[*csv.ParseError](err)

	switch {
	// Its lines cannot be taken one by one: they may be within a quoted field, whose text
	// need not be trusted.
	case errors.Is(err, errLongRecord):
		return row{}, fmt.Errorf("line %d: the record has more than %d bytes: perhaps a quote is opened and never closed", line, maxRecord)
	case isCSV:
		// The quote may have swallowed lines that are in order.
		if broken.Line != broken.StartLine {
			r.tape.skipLine()
			r.restart()
		}
		return row{line: line, last: line, faults: []fault{{problem: quoteProblem(broken)}}}, nil
	case err != nil:
		return row{}, err
	}

	last, _ := r.csv.FieldPos(len(fields) - 1)
	first, _ := r.csv.FieldPos(0)
	last += strings.Count(fields[len(fields)-1], "\n")
	return row{line: line, last: line + last - first, fields: fields}, nil
}

func quoteProblem(err error) string {
	const expected = `: expected quotes around the field, and "" for a quote in it`
	if errors.Is(err, csv.ErrBareQuote) {
		return "a quote stands in a field that does not begin with one" + expected
	}
	return "a quoted field does not end with a quote" + expected
}

// settle forgets the rows that were read.
func (r *rows) settle() {
	n := r.csv.InputOffset() - r.done
	r.tape.forget(int(n))
	r.done += n
}
