package form

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
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
	// RFC 6749 sections 3.1 and 3.2 require servers to ignore unknown parameters.
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
	// The count bounds the work before anything is decoded.
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

		// The body has at most 64 KiB, and so has each part.
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
