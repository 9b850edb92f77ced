package redis

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/authtier/authtier/store"
)

// A record is a hash. What one of its fields lacks is remembered as the error of
// the whole, so that no half of a record is ever taken for one.
type record struct {
	key    string
	fields map[string]string
	err    error
}

// record returns the record of that name.
func (s *Store) record(ctx context.Context, name string) (*record, error) {
	r := record{key: s.prefix + name}
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

// text returns a field as it is.
func (r *record) text(field string) string {
	v, ok := r.fields[field]
	if !ok {
		r.fail(field, "is missing")
	}
	return v
}

func (r *record) fail(field, problem string) {
	if r.err == nil {
		r.err = fmt.Errorf("redis: the record %.200q is not ours: the field %q %s", r.key, field, problem)
	}
}

func (r *record) flag(field string) bool {
	v := r.text(field)
	if v != "0" && v != "1" {
		r.fail(field, "is neither 0 nor 1")
	}
	return v == "1"
}

func (r *record) number(field string) uint64 {
	n, err := strconv.ParseUint(r.text(field), 10, 64)
	if err != nil {
		r.fail(field, "is no number")
	}
	return n
}

func (r *record) time(field string) time.Time {
	t, err := parseTime(r.text(field))
	if err != nil {
		r.fail(field, "is no time")
	}
	return t
}

// timeIfAny returns a time that records from before there was such a field lack.
func (r *record) timeIfAny(field string) time.Time {
	if _, ok := r.fields[field]; !ok {
		return time.Time{}
	}
	return r.time(field)
}

func (r *record) digest(field string) store.Digest {
	d, err := parseDigest(r.text(field))
	if err != nil {
		r.fail(field, "is no digest")
	}
	return d
}

// list decodes a JSON value into v.
func (r *record) list(field string, v any) {
	if err := json.Unmarshal([]byte(r.text(field)), v); err != nil {
		r.fail(field, "is no list")
	}
}

// fields returns the arguments from which a script takes names and values.
func fields(pairs ...any) []any { return append([]any{len(pairs)}, pairs...) }

func formatFlag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// formatInstant writes seconds and nanoseconds since 1970, which scripts compare
// as numbers.
func formatInstant(t time.Time) string { return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond()) }

// formatTime writes an instant, and nothing for the zero time, which means never.
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
	nsec, err := strconv.ParseUint(rest, 10, 64)
	if err != nil || len(rest) != 9 {
		return time.Time{}, fmt.Errorf("%q is no time", s)
	}
	return time.Unix(sec, int64(nsec)).UTC(), nil
}

func formatDigest(d store.Digest) string { return hex.EncodeToString(d[:]) }

func parseDigest(s string) (d store.Digest, err error) {
	if b, err := hex.DecodeString(s); err == nil && len(b) == len(d) {
		return store.Digest(b), nil
	}
	return d, fmt.Errorf("%q is no digest", s)
}

// formatList encodes what list decodes. No value that is passed can fail.
func formatList(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}
