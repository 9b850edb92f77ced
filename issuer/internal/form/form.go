// Package form reads the parameters of requests and writes answers, for the handlers of
// issuer, sessions and partners.
//
//	body, err := form.ReadBody(w, r)
//	params, err := body.Params("grant_type", "scope")
package form

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authtier/authtier/errorsx"
)

// maxBody is the size in bytes over which a request's body is refused.
const maxBody = 64 << 10

// maxType is the size in bytes over which a Content-Type is refused.
const maxType = 1 << 10

// A Body is a request's body.
type Body struct {
	Content   []byte
	MediaType string // "" where the header is missing or empty
	params    map[string]string
}

// ReadBody returns the request's body. One over 64 KiB, one that cannot be read,
// and a Content-Type that does not parse, is repeated or asks for another
// character set than UTF-8, are refused with [errorsx.InvalidParameter].
func ReadBody(w http.ResponseWriter, r *http.Request) (b Body, err error) {
	switch types := r.Header["Content-Type"]; {
	case len(types) > 1:
		return b, invalid("Content-Type header: repeated")
	case len(types) == 1 && len(types[0]) > maxType:
		return b, invalid("Content-Type header: expected at most 1024 bytes")
	case len(types) == 1 && (types[0] == urlencoded || types[0] == "application/json"):
		b.MediaType = types[0] // as nearly everybody writes it
	case len(types) == 1 && types[0] != "":
		b.MediaType, b.params, err = mime.ParseMediaType(types[0])
		if charset, ok := b.params["charset"]; err != nil || ok && !strings.EqualFold(charset, "utf-8") {
			return b, invalid("Content-Type header: expected a media type, in UTF-8")
		}
	}
	if b.Content, err = readAll(http.MaxBytesReader(w, r.Body, maxBody), r.ContentLength); err != nil {
		return b, invalid("body: expected at most 65536 bytes, to the end")
	}
	return b, nil
}

// firstRead is the size in bytes up to which a body is believed to be as long as it
// says: who says more and sends less takes no more memory than this.
const firstRead = 4 << 10

// readAll is [io.ReadAll] of what says that it is so long, if it is above 0.
func readAll(r io.Reader, length int64) ([]byte, error) {
	if length <= 0 {
		length = 511
	}
	b := make([]byte, 0, min(length, firstRead)+1) // one more, to read the end into
	for {
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case err == io.EOF:
			return b, nil
		case err != nil:
			return b, err
		case len(b) == cap(b):
			b = slices.Grow(b, len(b))
		}
	}
}

// IsJSON reports whether the body is to be read as JSON: by its type, without a
// type, or where a urlencoded form begins with a brace, as curl -d sends it.
func (b Body) IsJSON() bool {
	switch b.MediaType {
	case "", "application/json":
		return true
	case urlencoded:
		return bytes.HasPrefix(bytes.TrimLeft(b.Content, " \t\r\n"), []byte("{"))
	}
	return false
}

// Invalid refuses a parameter and says what was expected of it.
func Invalid(name, why string) error { return invalid("%q parameter: %s", name, why) }

// Missing refuses a request that lacks a parameter.
func Missing(name string) error {
	return &errorsx.Error{Code: errorsx.InvalidParameter, Message: fmt.Sprintf("Missing %q parameter", name)}
}

func invalid(format string, args ...any) error {
	return &errorsx.Error{Code: errorsx.InvalidParameter, Message: "Invalid " + fmt.Sprintf(format, args...)}
}

const (
	urlencoded = "application/x-www-form-urlencoded"
	multiparts = "multipart/form-data"
)

// Params returns the known parameters of a form, urlencoded or multipart, or of
// a JSON object with strings. One without a value is absent. An unknown
// parameter is ignored; a known one that is repeated, or no string in UTF-8, and
// a body of another type, are refused with [errorsx.InvalidParameter].
func (b Body) Params(known ...string) (Params, error) {
	if len(b.Content) > 0 && b.IsJSON() {
		p := newParams(known)
		err := p.readJSON(b.Content)
		return p.values, err
	}
	if b.MediaType != "" && b.MediaType != urlencoded && b.MediaType != multiparts && b.MediaType != "application/json" {
		return nil, invalid("Content-Type header: expected a form or JSON")
	}
	return b.Form(known...)
}

// Form is [Body.Params] for endpoints that read forms alone: a body of any
// other type holds no parameters.
func (b Body) Form(known ...string) (Params, error) {
	p := newParams(known)
	var err error
	switch {
	case len(b.Content) == 0:
	case b.MediaType == multiparts:
		err = p.readMultipart(b.Content, b.params["boundary"])
	case b.MediaType == urlencoded:
		err = p.readForm(string(b.Content))
	}
	return p.values, err
}

// Query returns the known parameters of the query, by the rules of
// [Body.Params].
func Query(r *http.Request, known ...string) (Params, error) {
	p := newParams(known)
	err := p.readForm(r.URL.RawQuery)
	return p.values, err
}

// Params are the parameters that were sent, of those that are known.
type Params []param

type param struct{ name, value string }

// Get returns the value of a parameter, or "" where it is absent.
func (ps Params) Get(name string) string {
	for _, p := range ps {
		if p.name == name {
			return p.value
		}
	}
	return ""
}

func newParams(known []string) *params {
	return &params{known: known}
}

type params struct {
	known  []string
	values Params // those without a value too
}

func (p *params) add(name, value string) error {
	switch {
	case !slices.Contains(p.known, name):
		return nil
	case slices.ContainsFunc(p.values, func(old param) bool { return old.name == name }):
		return invalid("%q parameter: repeated", name)
	case !utf8.ValidString(value):
		return invalid("%q parameter: expected UTF-8", name)
	}
	if p.values == nil {
		p.values = make(Params, 0, 4)
	}
	p.values = append(p.values, param{name, value})
	return nil
}

// maxPairs is the number of parameters up to which [url.ParseQuery] reads a form.
const maxPairs = 10_000

// readForm reads what [url.ParseQuery] reads, without a map of it. A form that does
// not decode is refused for that, whatever else is wrong with it.
func (p *params) readForm(encoded string) error {
	if strings.Count(encoded, "&") >= maxPairs {
		return errUndecoded()
	}
	var refused error
	for pair := range strings.SplitSeq(encoded, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil || strings.Contains(pair, ";") {
			return errUndecoded()
		}
		if refused == nil && pair != "" {
			refused = p.add(name, value)
		}
	}
	return refused
}

func errUndecoded() error { return invalid("parameters: they do not decode") }

func (p *params) readMultipart(body []byte, boundary string) error {
	broken := invalid("body: expected multipart form data")
	if boundary == "" {
		return broken
	}
	for mr := multipart.NewReader(bytes.NewReader(body), boundary); ; {
		part, err := mr.NextRawPart()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return broken
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return broken
		}
		name := part.FormName()
		if part.FileName() != "" && slices.Contains(p.known, name) {
			return invalid("%q parameter: expected a field, not a file", name)
		}
		if err := p.add(name, string(value)); err != nil {
			return err
		}
	}
}

func (p *params) readJSON(body []byte) error {
	broken := invalid("body: expected a JSON object")
	d := jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowDuplicateNames(true))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return broken
	}
	for d.PeekKind() != '}' {
		t, err := d.ReadToken()
		if err != nil {
			return broken
		}
		name := t.String()
		value, err := d.ReadValue()
		if err != nil {
			return broken
		}
		if !slices.Contains(p.known, name) {
			continue
		}
		if value.Kind() != '"' {
			return invalid("%q parameter: expected a string", name)
		}
		text, err := jsontext.AppendUnquote(nil, value)
		if err != nil {
			return broken
		}
		if err := p.add(name, string(text)); err != nil {
			return err
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return broken
	}
	if _, err := d.ReadToken(); err != io.EOF {
		return broken
	}
	return nil
}
