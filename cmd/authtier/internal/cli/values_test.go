package cli_test

import (
	"testing"
	"time"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
)

func TestParseNetwork(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.1": "10.0.0.1/32", "10.0.0.0/8": "10.0.0.0/8", "::1": "::1/128", "fd00::/8": "fd00::/8",
		"::ffff:10.0.0.1": "10.0.0.1/32", "0.0.0.0/0": "0.0.0.0/0",
		"10.0.0.1/8": "", "::ffff:10.0.0.0/104": "", "fe80::1%eth0": "", "x": "", "": "",
	} {
		p, err := cli.ParseNetwork(text)
		if (err == nil) != (want != "") || err == nil && p.String() != want {
			t.Errorf("%q: got %v, %v", text, p, err)
		}
	}
}

func TestParseTime(t *testing.T) {
	for text, want := range map[string]time.Time{
		"2030-01-31":                     time.Date(2030, 1, 31, 0, 0, 0, 0, time.UTC),
		"2030-01-31T12:00:00+02:00":      time.Date(2030, 1, 31, 10, 0, 0, 0, time.UTC),
		"2030-01-31T12:00:00.123456789Z": time.Date(2030, 1, 31, 12, 0, 0, 123456000, time.UTC),
		"2030-01-31T12:00:00":            {}, "31.1.2030": {}, "": {},
	} {
		got, err := cli.ParseTime(text)
		if (err == nil) != !want.IsZero() || err == nil && (!got.Equal(want) || got.Location() != time.UTC) {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "1d": 24 * time.Hour, "365d": 365 * 24 * time.Hour, "0d": 0,
		"-1d": -1, "1.5d": -1, "d": -1, "99999999d": -1, "5": -1,
	} {
		got, err := cli.ParseDuration(text)
		if (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
}
