package idp

import (
	"bytes"
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A member is one member of a JSON object.
type member struct {
	name  []byte // unquoted
	value jsontext.Value
}

// members are the members of a JSON object, in the order of the text. Names are exact
// and unrepeated. A token has few members, so that a list is faster than a map.
type members []member

// get returns the value of the member with that name.
func (ms members) get(name string) (v jsontext.Value, ok bool) {
	for i := range ms {
		if string(ms[i].name) == name {
			return ms[i].value, true
		}
	}
	return nil, false
}

// readMembers reads a JSON object strictly. The members share the memory of text.
func readMembers(text []byte) (members, error) {
	if jsontext.Value(text).Kind() != '{' {
		return nil, errors.New("not a JSON object")
	}
	r := memberReader{text: text}
	err := json.Unmarshal(text, &r)
	return r.members, err
}

// A memberReader reads the members of the object in text.
type memberReader struct {
	text    []byte
	members members
}

// manyMembers is the number of members for which room is made at once.
const manyMembers = 16

// UnmarshalJSONFrom reads an object without copying its values.
func (r *memberReader) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if _, err := d.ReadToken(); err != nil {
		return err
	}

	r.members = make(members, 0, manyMembers)
	for d.PeekKind() == '"' {
		name, err := r.next(d)
		if err != nil {
			return err
		}
		value, err := r.next(d)
		if err != nil {
			return err
		}

		inner := name[1 : len(name)-1]
		if bytes.IndexByte(inner, '\\') >= 0 {
			// The decoder has checked the escapes already.
			inner, _ = jsontext.AppendUnquote(nil, name)
		}
		r.members = append(r.members, member{inner, value})
	}

	_, err := d.ReadToken()
	return err
}

// next returns the place in text of the next value. The decoder's own slice is valid only
// until its next call.
func (r *memberReader) next(d *jsontext.Decoder) (jsontext.Value, error) {
	v, err := d.ReadValue()
	if err != nil {
		return nil, err
	}
	end := d.InputOffset()
	return r.text[end-int64(len(v)) : end : end], nil
}

// unquoted returns the text of a JSON string.
func unquoted(v jsontext.Value) string {
	if inner := v[1 : len(v)-1]; bytes.IndexByte(inner, '\\') < 0 {
		return string(inner)
	}
	s, err := jsontext.AppendUnquote(nil, v)
	if err != nil {
		return ""
	}
	return string(s)
}
