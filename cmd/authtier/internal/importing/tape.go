package importing

import (
	"bytes"
	"errors"
	"io"
)

// maxRecord is about how many bytes a record may have. A good one has far fewer. It is also
// how far a quote that is never closed is followed.
const maxRecord = 1 << 20

var errLongRecord = errors.New("the record is too long")

// A tape is a reader that can go back to the beginning of the current record. It refuses
// to read a record that is too long, such as one with a quote that is never closed.
type tape struct {
	r    io.Reader
	kept []byte // from the beginning of the record on
	next int    // how much of kept was read
	line int    // the number of the line on which kept begins
	read int64  // how much of the file stands before kept
}

// Read implements [io.Reader].
func (t *tape) Read(p []byte) (int, error) {
	if t.next < len(t.kept) {
		n := copy(p, t.kept[t.next:])
		t.next += n
		return n, nil
	}
	if len(t.kept) >= maxRecord {
		return 0, errLongRecord
	}

	n, err := t.r.Read(p)
	t.kept = append(t.kept, p[:n]...)
	t.next += n
	return n, err
}

// forget drops the first n bytes, which belong to earlier records.
func (t *tape) forget(n int) {
	t.line += newlines(t.kept[:n])
	t.kept = t.kept[n:]
	t.next -= n
	t.read += int64(n)
}

// blank returns the size of the empty lines in front of the record, which package csv skips.
func (t *tape) blank() int {
	n := 0
	for {
		switch rest := t.kept[n:]; {
		case bytes.HasPrefix(rest, []byte("\n")):
			n++
		case bytes.HasPrefix(rest, []byte("\r\n")):
			n += 2
		default:
			return n
		}
	}
}

// lineOf returns the number of the line on which the record begins.
func (t *tape) lineOf() int { return t.line + newlines(t.kept[:t.blank()]) }

// skipLine goes back to the beginning of the record and skips its first line.
func (t *tape) skipLine() {
	t.forget(t.blank())
	n := bytes.IndexByte(t.kept, '\n') + 1
	if n == 0 {
		n = len(t.kept) // the last line
	}
	t.forget(n)
	t.next = 0
}

func newlines(b []byte) int { return bytes.Count(b, []byte("\n")) }
