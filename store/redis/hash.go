package redis

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/authtier/authtier/store"
)

// A hash holds a record. It remembers the first field that is missing or invalid as the
// error of the whole record, so that a damaged record is never used in part.
type hash struct {
	key    string
	fields map[string]string
	err    error
}

// hash returns the hash of that name.
func (s *Store) hash(ctx context.Context, name string) (*hash, error) {
	r := hash{key: s.prefix + name}
	err := call(ctx, func(ctx context.Context) (err error) {
		r.fields, err = s.db.HGetAll(ctx, r.key).Result()
		return err
	})

	switch {
	case err != nil:
		return nil, fmt.Errorf("%w (key %.200q)", err, r.key)
	case len(r.fields) == 0:
		return nil, store.ErrNotFound
	}
	return &r, nil
}

// addFields adds the fields that a node of the previous version has dropped from r. They
// are in another hash, which may not exist.
func (s *Store) addFields(ctx context.Context, r *hash, name string) error {
	added, err := s.hash(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}

	// Fields of the record itself are newer.
	for field, value := range added.fields {
		if !r.has(field) {
			r.fields[field] = value
		}
	}
	return nil
}

// values returns the names and values of fields. The value of a missing field is "".
func (r *hash) values(names ...string) (all []any) {
	for _, name := range names {
		all = append(all, name, r.fields[name])
	}
	return all
}

func (r *hash) has(field string) bool {
	_, ok := r.fields[field]
	return ok
}

// text returns the value of a field.
func (r *hash) text(field string) string {
	v, ok := r.fields[field]
	if !ok {
		r.fail(field, "is missing")
	}
	return v
}

func (r *hash) fail(field, problem string) {
	if r.err == nil {
		r.err = fmt.Errorf("redis: the record %.200q is not ours: the field %q %s", r.key, field, problem)
	}
}

func (r *hash) flag(field string) bool {
	v := r.text(field)
	if v != "0" && v != "1" {
		r.fail(field, "is neither 0 nor 1")
	}
	return v == "1"
}

func (r *hash) number(field string) uint64 {
	n, err := strconv.ParseUint(r.text(field), 10, 64)
	if err != nil {
		r.fail(field, "is not a number")
	}
	return n
}

func (r *hash) time(field string) time.Time {
	t, err := parseTime(r.text(field))
	if err != nil {
		r.fail(field, "is not a time")
	}
	return t
}

// The IfAny methods read fields that older records lack. They return the zero value if
// the field is missing.

func (r *hash) timeIfAny(field string) time.Time {
	if !r.has(field) {
		return time.Time{}
	}
	return r.time(field)
}

func (r *hash) textIfAny(field string) string { return r.fields[field] }

func (r *hash) flagIfAny(field string) bool { return r.has(field) && r.flag(field) }

func (r *hash) listIfAny(field string, v any) {
	if r.has(field) {
		r.list(field, v)
	}
}

func (r *hash) digest(field string) store.Digest {
	d, err := parseDigest(r.text(field))
	if err != nil {
		r.fail(field, "is not a digest")
	}
	return d
}

// list decodes a JSON value into v.
func (r *hash) list(field string, v any) {
	if err := json.Unmarshal([]byte(r.text(field)), v); err != nil {
		r.fail(field, "is not a list")
	}
}

// counted returns items preceded by their number, as scripts expect a list.
func counted(items ...any) []any { return append([]any{len(items)}, items...) }

func formatFlag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// formatInstant writes the seconds since 1970 with nine decimals, which scripts compare
// as numbers.
func formatInstant(t time.Time) string { return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond()) }

// formatTime writes a time, or "" for the zero time, which means never.
func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return formatInstant(t)
}

func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	seconds, rest, _ := strings.Cut(s, ".")
	sec, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return time.Time{}, err
	}

	// Exactly nine decimals are expected, because ".5" would otherwise be read as 5 ns.
	nsec, err := strconv.ParseUint(rest, 10, 64)
	if err != nil || len(rest) != 9 {
		return time.Time{}, fmt.Errorf("%q is not a time", s)
	}
	return time.Unix(sec, int64(nsec)).UTC(), nil
}

func formatDigest(d store.Digest) string { return hex.EncodeToString(d[:]) }

func parseDigest(s string) (d store.Digest, err error) {
	if b, err := hex.DecodeString(s); err == nil && len(b) == len(d) {
		return store.Digest(b), nil
	}
	return d, fmt.Errorf("%q is not a digest", s)
}

// formatNames encodes a list of names. An empty list is [].
func formatNames(names []string) string {
	if len(names) == 0 {
		return "[]"
	}
	return formatList(names)
}

// formatList encodes a list as JSON. It panics if v cannot be encoded.
func formatList(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}
