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
	"net/http"
	"slices"
	"strings"

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
