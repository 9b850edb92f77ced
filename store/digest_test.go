package store_test

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/authtier/authtier/store"
)

// spellings returns all texts that ParseDigest accepts for a digest.
func spellings(d store.Digest) []string {
	return []string{
		hex.EncodeToString(d[:]), strings.ToUpper(hex.EncodeToString(d[:])),
		base64.StdEncoding.EncodeToString(d[:]), base64.RawStdEncoding.EncodeToString(d[:]),
		base64.URLEncoding.EncodeToString(d[:]), base64.RawURLEncoding.EncodeToString(d[:]),
	}
}

func TestParseDigest(t *testing.T) {
	for n := range 100 {
		want := store.DigestOf(strings.Repeat("x", n))
		for _, s := range spellings(want) {
			if got, err := store.ParseDigest(s); err != nil || got != want {
				t.Errorf("%q: got %x, %v, want %x", s, got, err, want)
			}
		}
	}
	good := hex.EncodeToString(make([]byte, 32))
	for _, s := range []string{
		"", "hunter2", good[1:], good + "0", "g" + good[1:], " " + good[1:], strings.Repeat("A", 42), strings.Repeat("A", 44),
		strings.Repeat("A", 42) + "B", strings.Repeat("A", 42) + "==", strings.Repeat("A", 43) + "==", strings.Repeat("A", 42) + "\n",
		strings.Repeat("A", 20) + "+-" + strings.Repeat("A", 21), strings.Repeat("!", 43), "$2a$" + strings.Repeat("A", 56),
	} {
		d, err := store.ParseDigest(s)
		if err == nil || d != (store.Digest{}) || s != "" && strings.Contains(err.Error(), s) {
			t.Errorf("%q: got %x, %v, want an error that does not repeat it", s, d, err)
		}
	}
}

// FuzzParseDigest parses any text. A text that is accepted must be one of the spellings.
func FuzzParseDigest(f *testing.F) {
	for _, s := range spellings(store.DigestOf("x")) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := store.ParseDigest(s)
		if err != nil {
			return
		}
		for _, known := range spellings(d) {
			if strings.EqualFold(s, known) && (len(s) == 64 || s == known) {
				return
			}
		}
		t.Errorf("%q is read as %x", s, d)
	})
}
