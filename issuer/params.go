package issuer

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

// ReadBody returns the request's body and its media type, "" where the header
// is missing or empty. A body over 64 KiB, one that cannot be read, and a
// Content-Type that does not parse, is repeated or asks for another character
// set than UTF-8, are refused with [errorsx.InvalidParameter].
func ReadBody(w http.ResponseWriter, r *http.Request) (body []byte, mediaType string, params map[string]string, err error) {
	switch types := r.Header["Content-Type"]; {
	case len(types) > 1:
		return nil, "", nil, invalid("Content-Type header: repeated")
	case len(types) == 1 && types[0] != "":
		mediaType, params, err = mime.ParseMediaType(types[0])
		if charset, ok := params["charset"]; err != nil || ok && !strings.EqualFold(charset, "utf-8") {
			return nil, "", nil, invalid("Content-Type header: expected a media type, in UTF-8")
		}
	}
	body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, "", nil, invalid("body: expected at most 65536 bytes, to the end")
	}
	return body, mediaType, params, nil
}

func invalid(format string, args ...any) error {
	return &errorsx.Error{Code: errorsx.InvalidParameter, Message: "Invalid " + fmt.Sprintf(format, args...)}
}

func missing(name string) error {
	return &errorsx.Error{Code: errorsx.InvalidParameter, Message: fmt.Sprintf("Missing %q parameter", name)}
}

const (
	formType      = "application/x-www-form-urlencoded"
	multipartType = "multipart/form-data"
)

// ReadParams returns the known parameters of the body: of a form, urlencoded or
// multipart, or of a JSON object with strings. Without a Content-Type, or where
// a urlencoded form begins with a brace, the body is JSON. One without a value
// is absent. An unknown parameter is ignored; a known one that is repeated, or
// no string in UTF-8, is refused with [errorsx.InvalidParameter].
func ReadParams(w http.ResponseWriter, r *http.Request, known ...string) (map[string]string, error) {
	body, mediaType, typeParams, err := ReadBody(w, r)
	if err != nil {
		return nil, err
	}
	p := newParams(known)
	switch {
	case mediaType != "" && mediaType != formType && mediaType != multipartType && mediaType != "application/json":
		return nil, invalid("Content-Type header: expected a form or JSON")
	case len(body) == 0:
	case mediaType == multipartType:
		err = p.readMultipart(body, typeParams["boundary"])
	case mediaType == formType && !LooksLikeJSON(body):
		err = p.readForm(string(body))
	default:
		err = p.readJSON(body)
	}
	return p.values, err
}

// ReadForm is [ReadParams] for endpoints that read forms alone: a body of any
// other type holds no parameters.
func ReadForm(w http.ResponseWriter, r *http.Request, known ...string) (map[string]string, error) {
	body, mediaType, typeParams, err := ReadBody(w, r)
	if err != nil {
		return nil, err
	}
	p := newParams(known)
	switch {
	case len(body) == 0:
	case mediaType == multipartType:
		err = p.readMultipart(body, typeParams["boundary"])
	case mediaType == formType:
		err = p.readForm(string(body))
	}
	return p.values, err
}

// ReadQuery returns the known parameters of the query, by the rules of
// [ReadParams].
func ReadQuery(r *http.Request, known ...string) (map[string]string, error) {
	p := newParams(known)
	if err := p.readForm(r.URL.RawQuery); err != nil {
		return nil, err
	}
	return p.values, nil
}

// LooksLikeJSON reports whether the first character that is not white space
// begins an object: what curl -d sends as a form, and people mean as JSON.
func LooksLikeJSON(body []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{"))
}

func newParams(known []string) *params {
	return &params{known: known, values: map[string]string{}, seen: map[string]bool{}}
}

type params struct {
	known  []string
	values map[string]string
	seen   map[string]bool
}

func (p *params) add(name, value string) error {
	switch {
	case !slices.Contains(p.known, name):
		return nil
	case p.seen[name]:
		return invalid("%q parameter: repeated", name)
	case !utf8.ValidString(value):
		return invalid("%q parameter: expected UTF-8", name)
	}
	p.seen[name] = true
	if value != "" {
		p.values[name] = value
	}
	return nil
}

func (p *params) readForm(encoded string) error {
	values, err := url.ParseQuery(encoded)
	if err != nil {
		return invalid("parameters: they do not decode")
	}
	for name, vs := range values {
		for _, v := range vs {
			if err := p.add(name, v); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *params) readMultipart(body []byte, boundary string) error {
	broken := invalid("body: expected multipart form data")
	if boundary == "" {
		return broken
	}
	for mr := multipart.NewReader(bytes.NewReader(body), boundary); ; {
		part, err := mr.NextPart()
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
