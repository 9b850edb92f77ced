package redis

import (
	"testing"
	"time"
)

// FuzzRecords decodes any text as each type of record. A record that is accepted must be
// encoded to an equivalent text.
func FuzzRecords(f *testing.F) {
	for _, s := range []string{
		"", "0.000000000", "1795305600.000000001", "-1.5", "-62135596800.000000000", "1.-00000001", "+1.000000000", "1.0000000001",
		`7 ["client","product","label"]`, `-1 ["a","b","c"]`, `7 ["a","b"]`, `7`, `9223372036854775808 ["","",""]`,
		`1.000000000 -7 ["client","product","reason","author"]`, ` 1 ["","","",""]`, `x 1 ["","","",""]`, ` 0 ["","","",""]`, ` 1 ["",""]`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		fuzzTime(t, s)
		if r, err := decodeCount(s); err == nil && r.Quantity < 0 {
			t.Errorf("%q is the count %+v", s, r)
		}
		fuzzAdjustment(t, s)
	})
}

func fuzzTime(t *testing.T, s string) {
	at, err := parseTime(s)
	if err != nil {
		return
	}
	again, err := parseTime(formatTime(at))
	if err != nil || !again.Equal(at) {
		t.Errorf("%q is %v, which is written %q and read as %v, %v", s, at, formatTime(at), again, err)
	}
}

func fuzzAdjustment(t *testing.T, s string) {
	a, err := decodeAdjustment(s)
	if err != nil {
		return
	}
	again, err := decodeAdjustment(encodeAdjustment(a))
	if err != nil || !again.Made.Equal(a.Made) {
		t.Errorf("%q is read as %+v, and then as %+v, %v", s, a, again, err)
	}
	if again.Made = a.Made; again != a {
		t.Errorf("%q is read as %+v, and then as %+v", s, a, again)
	}
}

func TestTimes(t *testing.T) {
	for _, at := range []time.Time{
		{}, time.Unix(0, 0), time.Unix(0, 1), time.Now(), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
		time.Date(1900, 1, 1, 0, 0, 0, 5, time.FixedZone("", 3600)),
	} {
		if got, err := parseTime(formatTime(at)); err != nil || !got.Equal(at) {
			t.Errorf("%v is written %q and read as %v, %v", at, formatTime(at), got, err)
		}
	}
	for _, s := range []string{"1", "1.", "1.5", "x", "1.0000000000", "1.00000000x", ".000000000", "1.-00000001", " 1.000000000"} {
		if got, err := parseTime(s); err == nil {
			t.Errorf("%q is read as %v", s, got)
		}
	}
}
