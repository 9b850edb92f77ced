// Package form reads the parameters of requests and writes responses. It is for the
// handlers of packages issuer, session and partner.
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

// maxBody is the largest body that is read, in bytes.
const maxBody = 64 << 10

// maxType is the largest Content-Type that is parsed, in bytes.
const maxType = 1 << 10

// A Body is a request's body and its media type.
type Body struct {
	Content   []byte
	MediaType string // "" if the header is missing or empty
	params    map[string]string
}

// ReadBody reads the request's body. It returns [errorsx.InvalidParameter] if the body
// exceeds 64 KiB or cannot be read. It returns the same if the Content-Type is
// repeated, does not parse, exceeds 1 KiB, or names a character set other than UTF-8.
func ReadBody(w http.ResponseWriter, r *http.Request) (b Body, err error) {
	switch types := r.Header["Content-Type"]; {
	case len(types) > 1:
		return b, invalid("Content-Type header: repeated")
	case len(types) == 1 && len(types[0]) > maxType:
		return b, invalid("Content-Type header: expected at most 1024 bytes")
	case len(types) == 1 && (types[0] == urlencoded || types[0] == "application/json"):
		// These two need no parsing, and nearly all clients send one of them.
		b.MediaType = types[0]
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

// firstRead is the size in bytes up to which memory is allocated by the Content-Length.
// A client that announces a longer body gets more memory only as it sends the body.
const firstRead = 4 << 10

// readAll is like [io.ReadAll]. If length is above 0, it is the length that the client
// has announced.
func readAll(r io.Reader, length int64) ([]byte, error) {
	if length <= 0 {
		length = 511
	}

	// One byte more leaves room for the read that finds the end.
	b := make([]byte, 0, min(length, firstRead)+1)
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

// IsJSON reports whether the body is to be read as JSON. This is so if its type is JSON
// or missing. It is also so if the type is that of a urlencoded form but the body
// begins with a brace, as curl -d sends JSON.
func (b Body) IsJSON() bool {
	switch b.MediaType {
	case "", "application/json":
		return true
	case urlencoded:
		return bytes.HasPrefix(bytes.TrimLeft(b.Content, " \t\r\n"), []byte("{"))
	}
	return false
}

// Invalid returns an error that refuses a parameter. why names the expected value.
func Invalid(name, why string) error { return invalid("%q parameter: %s", name, why) }

// Missing returns an error that refuses a request without the parameter.
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

// Params returns the known parameters of a urlencoded or multipart form, or of a JSON
// object with strings. Get returns "" for a parameter without a value, as for an absent
// one. Unknown parameters are ignored.
//
// Params returns [errorsx.InvalidParameter] if a known parameter is repeated or is not
// a string in UTF-8, or if the body is of another type.
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

// Form is like [Body.Params] for endpoints that read only forms. A body of another type
// has no parameters.
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

// Query returns the known parameters of the query, by the rules of [Body.Params].
func Query(r *http.Request, known ...string) (Params, error) {
	p := newParams(known)
	err := p.readForm(r.URL.RawQuery)
	return p.values, err
}

// Params are the known parameters of a request.
type Params []param

type param struct{ name, value string }

// Get returns the value of a parameter, or "" if it is absent.
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
	values Params // including those without a value
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

// maxPairs is the number of parameters that [url.ParseQuery] accepts.
const maxPairs = 10_000

// readForm accepts the forms that [url.ParseQuery] accepts, without building a map. A
// form that does not decode is refused for that, even if a parameter before the fault
// is refused too.
func (p *params) readForm(encoded string) error {
	if strings.Count(encoded, "&") >= maxPairs {
		return errUndecoded()
	}
	var refused error
	for pair := range strings.SplitSeq(encoded, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		// url.ParseQuery refuses semicolons, too.
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

	// Unknown members may be repeated. Repeated known ones are refused by add.
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

	// Nothing may follow the object.
	if _, err := d.ReadToken(); err != nil {
		return broken
	}
	if _, err := d.ReadToken(); err != io.EOF {
		return broken
	}
	return nil
}
