package store

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// A Digest is the SHA-256 of a secret. Generated secrets have 256 random bits, so a
// slower hash would add nothing.
type Digest [sha256.Size]byte

// DigestOf returns the digest of a secret.
func DigestOf(secret string) Digest {
	var stack [128]byte
	return sha256.Sum256(append(stack[:0], secret...))
}

// ParseDigest reads a SHA-256 as other systems export it: 64 hexadecimal digits of
// either case, or base64 of either alphabet, padded or not. It must be the digest of
// the secret as clients send it, without a salt. Errors do not repeat s.
func ParseDigest(s string) (Digest, error) {
	var d Digest
	if len(s) == hex.EncodedLen(len(d)) {
		if _, err := hex.Decode(d[:], []byte(s)); err != nil {
			return Digest{}, fmt.Errorf("store: ParseDigest: %d characters, not all of them hexadecimal digits", len(s))
		}
		return d, nil
	}
	encoding := base64.RawStdEncoding
	if strings.ContainsAny(s, "-_") {
		encoding = base64.RawURLEncoding
	}
	digits := s
	if len(s) == base64.StdEncoding.EncodedLen(len(d)) {
		digits = strings.TrimSuffix(s, "=")
	}
	if len(digits) != encoding.EncodedLen(len(d)) {
		return Digest{}, fmt.Errorf("store: ParseDigest: %d characters, expected the %d hexadecimal digits of a SHA-256, or base64 of 43 or 44",
			len(s), hex.EncodedLen(len(d)))
	}

	// The decoder would skip line breaks.
	if strings.ContainsAny(digits, "\r\n") {
		return Digest{}, fmt.Errorf("store: ParseDigest: a line break among %d characters", len(s))
	}
	if _, err := encoding.Strict().Decode(d[:], []byte(digits)); err != nil {
		return Digest{}, fmt.Errorf("store: ParseDigest: %d characters, not base64 of 32 bytes", len(s))
	}
	return d, nil
}
