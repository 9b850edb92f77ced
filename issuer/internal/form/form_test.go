package form

import (
	"io"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// FuzzReadForm states that forms are read as [url.ParseQuery] reads them.
func FuzzReadForm(f *testing.F) {
	for _, s := range []string{
		"", "&", "=", "a", "a=", "a=1", "a=1&b=2", "a=&a=1", "a=1&a=2", "a=1;b=2", "a=1&;", "x=;", "c=%zz", "%zz=c", "%61=%2", "a=1&a=2&%",
		"a=%ff", "a=%ff&%", "%61=1+2", "a=1&&b=2&", "a==&b=a=b", "x=1&x=2&b=1", "+a=1", "\x00=1", "é=1",
		strings.Repeat("&", maxPairs-1), strings.Repeat("&", maxPairs),
	} {
		f.Add(s)
	}
	known := []string{"a", "b", "c"}
	f.Fuzz(func(t *testing.T, encoded string) {
		p := newParams(known)
		err := p.readForm(encoded)
		want, decodeErr := url.ParseQuery(encoded)
		sound := decodeErr == nil
		for _, name := range known {
			values := want[name]
			sound = sound && len(values) <= 1 && !slices.ContainsFunc(values, func(v string) bool { return !utf8.ValidString(v) })
			if err == nil && p.values.Get(name) != want.Get(name) {
				t.Errorf("%q: %s is %q, want %q", encoded, name, p.values.Get(name), want.Get(name))
			}
		}
		if (err == nil) != sound || decodeErr != nil && err.Error() != errUndecoded().Error() {
			t.Errorf("%q: got error %v, want it sound: %v (%v)", encoded, err, sound, decodeErr)
		}
	})
}

// TestReadAll reads, in pieces, bodies that have the announced length and others.
func TestReadAll(t *testing.T) {
	for _, size := range []int{0, 1, 40, 511, 512, 513, firstRead - 1, firstRead, firstRead + 1, maxBody, maxBody + 1, 3 * maxBody} {
		for _, said := range []int64{-1, 0, 1, int64(size) - 1, int64(size), int64(size) + 1, maxBody, 1 << 40} {
			for name, pieces := range map[string]func(io.Reader) io.Reader{
				"whole": func(r io.Reader) io.Reader { return r }, "halves": iotest.HalfReader, "the end with data": iotest.DataErrReader,
			} {
				body := strings.Repeat("0123456789", size/10+1)[:size]
				r := httptest.NewRequest("POST", "/", pieces(strings.NewReader(body)))
				r.ContentLength = said
				b, err := ReadBody(httptest.NewRecorder(), r)
				if (err == nil) != (size <= maxBody) || err == nil && string(b.Content) != body {
					t.Errorf("%d bytes, said to be %d, %s: got %d, %v", size, said, name, len(b.Content), err)
				}
			}
		}
	}
	r := httptest.NewRequest("POST", "/", iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("a=1"))))
	if _, err := ReadBody(httptest.NewRecorder(), r); err == nil {
		t.Error("a body that breaks off: read")
	}
}
