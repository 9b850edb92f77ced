package secret

import (
	"hash/crc32"
	"strings"
	"testing"
)

// TestChecksumMatchesTheStandardLibrary compares with hash/crc32, for every length of a
// secret.
func TestChecksumMatchesTheStandardLibrary(t *testing.T) {
	secret := "authtier_key_" + strings.Repeat(base62, 4)
	for n := range len(secret) {
		crc, want := crc32.ChecksumIEEE([]byte(secret[:n])), ""
		for range checksumChars {
			want = base62[crc%62:crc%62+1] + want
			crc /= 62
		}
		if got := checksum(secret[:n]); string(got[:]) != want {
			t.Fatalf("%q: got %s, want %s", secret[:n], got, want)
		}
	}
}

// TestWellFormed changes each character of a secret.
func TestWellFormed(t *testing.T) {
	secret := Generate("authtier_at")
	if !WellFormed("authtier_at", secret) || WellFormed("authtier_rt", secret) || WellFormed("authtier_at", secret+"0") {
		t.Errorf("%q has the wrong form, or a secret of another form has the right one", secret)
	}
	for n := range secret {
		other := byte('0')
		if secret[n] == other {
			other = '1'
		}
		if mistyped := secret[:n] + string(other) + secret[n+1:]; WellFormed("authtier_at", mistyped) {
			t.Errorf("%q, mistyped at %d, has the right form", mistyped, n)
		}
	}
}

func BenchmarkWellFormed(b *testing.B) {
	secret := Generate("authtier_at")
	b.ReportAllocs()
	for b.Loop() {
		if !WellFormed("authtier_at", secret) {
			b.Fatal("a secret that is not well-formed")
		}
	}
}
