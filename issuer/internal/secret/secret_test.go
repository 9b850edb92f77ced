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

func BenchmarkWellFormed(b *testing.B) {
	secret := Generate("authtier_at")
	b.ReportAllocs()
	for b.Loop() {
		if !WellFormed("authtier_at", secret) {
			b.Fatal("a secret that is not well-formed")
		}
	}
}
