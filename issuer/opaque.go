package issuer

import (
	"crypto/rand"
	"hash/crc32"
	"strings"
	"time"

	"github.com/authtier/authtier/store"
)

// An opaque token, API key or client secret is a prefix, an underscore, 43 random
// characters of 62, which hold 256 bits, and 6 characters of CRC-32 over all
// before. The prefix is what secret scanners look for; the checksum lets a mistyped
// secret be refused without a look into the store. It is no proof of anything.
const (
	base62      = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	randomChars = 43
	sumChars    = 6
)

// Generate returns a new secret with the prefix, which may itself hold
// underscores.
func Generate(prefix string) string {
	var stack [128]byte
	b := append(stack[:0], prefix...)
	b = append(b, '_')
	b = appendRandom(b, randomChars)
	sum := sumOf(b)
	return string(append(b, sum[:]...))
}

// NewAPIKey returns a new API key for a client and the record of it, for
// store.Admin. The key is prefix_id_secret with a checksum; it is in the record
// only as a digest and can be shown but once. Its ID may be shown and logged. A
// zero expires means never.
//
// A key with scopes gets tokens for no others. A key without scopes passes no route
// that demands one, and does not limit what its client may ask for at an endpoint
// behind the key: an empty list gives the key all scopes of its client there.
func (i *Issuer) NewAPIKey(client string, scopes []string, expires time.Time) (key string, record store.APIKey) {
	id, key := identified(i.keyPrefix)
	return key, store.APIKey{
		ID: id, Client: client, Digest: store.DigestOf(key), Scopes: scopes, Created: created(), Expires: expires,
	}
}

// NewSecret returns a new secret for a client and the record of it, for
// [store.Client] or [store.Rotator]. It never expires, unless the record is made
// to. The secret has the form of an API key, in characters that are the same
// form-encoded (RFC 6749 section 2.3.1), and can be shown but once.
func (i *Issuer) NewSecret() (secret string, record store.Secret) {
	id, secret := identified(i.secretPrefix)
	return secret, store.Secret{ID: id, Digest: store.DigestOf(secret), Created: created()}
}

// identified returns a new secret with the prefix and an ID that is in it.
func identified(prefix string) (id, secret string) {
	id = string(appendRandom(nil, 12))
	return id, Generate(prefix + "_" + id)
}

// created is now, as exactly as every store keeps it.
func created() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// WellFormed reports whether s looks like a secret generated with the prefix: a
// right checksum under any ID.
func WellFormed(prefix, s string) bool {
	if len(s) < len(prefix)+1+randomChars+sumChars || len(s) > maxSecret || !strings.HasPrefix(s, prefix) || s[len(prefix)] != '_' {
		return false
	}
	body := len(s) - sumChars
	sum := sumOf(s[:body])
	return string(sum[:]) == s[body:]
}

// maxSecret is the size in bytes over which nothing was generated here.
const maxSecret = 256

// appendRandom appends n uniformly random characters.
func appendRandom(b []byte, n int) []byte {
	const fair = 256 / len(base62) * len(base62) // bytes from here on are not uniform

	var buf [48]byte // nearly always enough for 43
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

// sumOf is CRC-32 (IEEE) in base 62. It is computed here, since hash/crc32 wants
// bytes on the heap: four bytes at a time, which takes a third of the time.
func sumOf[T string | []byte](s T) (digits [sumChars]byte) {
	t, crc := &sumTables, ^uint32(0)
	for ; len(s) >= 4; s = s[4:] {
		crc ^= uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
		crc = t[3][byte(crc)] ^ t[2][byte(crc>>8)] ^ t[1][byte(crc>>16)] ^ t[0][crc>>24]
	}
	for i := range len(s) {
		crc = t[0][byte(crc)^s[i]] ^ crc>>8
	}
	crc = ^crc
	for i := range digits {
		digits[sumChars-1-i] = base62[crc%uint32(len(base62))]
		crc /= uint32(len(base62))
	}
	return digits
}

// sumTables[n] is what a byte comes to behind which n bytes follow.
var sumTables = func() (t [4]crc32.Table) {
	t[0] = *crc32.IEEETable
	for n := range len(t) - 1 {
		for i, crc := range t[n] {
			t[n+1][i] = t[0][byte(crc)] ^ crc>>8
		}
	}
	return t
}()
