// Package secret generates opaque secrets: tokens, API keys, client secrets and session
// tokens.
package secret

import (
	"crypto/rand"
	"hash/crc32"
	"strings"
)

// A secret is a prefix, an underscore, 43 random characters of 62, which hold 256 bits,
// and 6 characters of CRC-32 over all before them. Secret scanners look for the prefix.
// By the checksum, the issuer refuses a mistyped secret without asking the store. The
// checksum proves nothing about who made the secret.
const (
	base62        = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	randomChars   = 43
	checksumChars = 6
)

// idChars is the number of characters of a generated ID.
const idChars = 12

// maxSize is the size in bytes above which no string is a secret.
const maxSize = 256

// Generate returns a new secret with the prefix. The prefix may hold underscores.
func Generate(prefix string) string {
	// Most secrets fit into this array, which stays on the stack.
	var stack [128]byte
	b := append(stack[:0], prefix...)
	b = append(b, '_')
	b = appendRandom(b, randomChars)
	digits := checksum(b)
	return string(append(b, digits[:]...))
}

// GenerateWithID returns a new secret with the prefix and an ID, and that ID. The ID
// may be shown and logged.
func GenerateWithID(prefix string) (id, secret string) {
	id = string(appendRandom(nil, idChars))
	return id, Generate(prefix + "_" + id)
}

// WellFormed reports whether s has the form of a secret with the prefix and a correct
// checksum. It accepts any ID.
func WellFormed(prefix, s string) bool {
	if len(s) < len(prefix)+1+randomChars+checksumChars || len(s) > maxSize || !strings.HasPrefix(s, prefix) || s[len(prefix)] != '_' {
		return false
	}
	body := len(s) - checksumChars
	digits := checksum(s[:body])
	return string(digits[:]) == s[body:]
}

// appendRandom appends n uniformly random characters.
func appendRandom(b []byte, n int) []byte {
	const fair = 256 / len(base62) * len(base62) // larger bytes would make some characters more likely

	var buf [48]byte // usually enough for 43 characters
	for {
		rand.Read(buf[:])
		for _, c := range buf {
			if n == 0 {
				return b
			}

			if int(c) < fair {
				b = append(b, base62[int(c)%len(base62)])
				n--
			}
		}
	}
}

// checksum is CRC-32 (IEEE) in base 62. It is computed here because hash/crc32 needs
// its input on the heap. Four bytes at a time take a third of the time of one by one.
func checksum[T string | []byte](s T) (digits [checksumChars]byte) {
	t, crc := &checksumTables, ^uint32(0)
	for ; len(s) >= 4; s = s[4:] {
		crc ^= uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
		crc = t[3][byte(crc)] ^ t[2][byte(crc>>8)] ^ t[1][byte(crc>>16)] ^ t[0][crc>>24]
	}
	for i := range len(s) {
		crc = t[0][byte(crc)^s[i]] ^ crc>>8
	}

	crc = ^crc
	for i := range digits {
		digits[checksumChars-1-i] = base62[crc%uint32(len(base62))]
		crc /= uint32(len(base62))
	}
	return digits
}

// checksumTables[n] holds the contribution of a byte that n bytes follow.
var checksumTables = func() (t [4]crc32.Table) {
	t[0] = *crc32.IEEETable
	for n := range len(t) - 1 {
		for i, crc := range t[n] {
			t[n+1][i] = t[0][byte(crc)] ^ crc>>8
		}
	}
	return t
}()
