// Package password hashes passwords and compares them with their hashes. It limits the
// cores and the memory that this takes in the whole process.
package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// New passwords are hashed with argon2id at these costs: memory in KiB, passes,
// lanes. Each hash takes about 25 ms of one core and 19 MiB.
const (
	argonMemory = 19 << 10
	argonTime   = 2
	argonLanes  = 1
	argonSalt   = 16
	argonKey    = 32

	// MaxBcryptCost limits issuer.Config.BcryptCost. One comparison takes over a
	// second. Stores accept hashes of a higher cost (store/faults.go).
	MaxBcryptCost = 15
)

// Hash returns the argon2id hash of a password in PHC form. It waits for its turn as
// [Do] does.
func Hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, argonSalt)
	rand.Read(salt)
	var hash string
	err := Do(ctx, func() {
		key := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonLanes, argonKey)
		hash = encodeArgon(salt, key)
	})
	return hash, err
}

// noHash is a hash that no password matches. Without a hash of the user, a password is
// compared with it, so that unknown users take as long as known ones.
var noHash = func() string {
	b := make([]byte, argonSalt+argonKey)
	rand.Read(b)
	return encodeArgon(b[:argonSalt], b[argonSalt:])
}()

func encodeArgon(salt, key []byte) string {
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		argonMemory, argonTime, argonLanes, enc.EncodeToString(salt), enc.EncodeToString(key))
}

// Outdated reports whether a hash differs in kind or cost from those of [Hash].
func Outdated(hash string) bool {
	h, ok := parseArgon(hash)
	return !ok || h.memory != argonMemory || h.time != argonTime || h.lanes != argonLanes || len(h.key) != argonKey
}

// Matches reports whether the hash is one of the password: argon2id in PHC form,
// or bcrypt ($2a$, $2b$, $2y$). A hash in another form matches no password.
//
// Every password that does not match costs the same: an argon2id hash as Hash
// makes it, and, if bcryptCost is not 0, a bcrypt hash of that cost. Extra work makes
// up for a cheaper hash. A hash that costs more is compared all the same, and then
// takes longer.
func Matches(hash, password string, bcryptCost int) bool {
	old := isBcrypt(hash)
	a, readable := parseArgon(hash)
	if !readable {
		a, _ = parseArgon(noHash)
	}

	// Every comparison costs an argon2id hash, even if the user has no such hash.
	if a.matches(password) && readable {
		return true
	}

	// If the hash was cheaper than a new one, do the missing work, so that the response
	// time does not show it.
	if done, all := a.memory*a.time, uint32(argonMemory*argonTime); done < all {
		a.memory, a.time, a.lanes = (all-done)/argonTime, argonTime, argonLanes
		a.matches(password)
	}

	if bcryptCost == 0 && !old {
		return false
	}

	from := bcryptCost
	if old {
		if checkBcrypt(hash, password) {
			return true
		}
		from, _ = bcrypt.Cost([]byte(hash))
	}

	// Each step of the cost doubles the work, and
	// 2^a + 2^a + 2^(a+1) ... 2^(b-1) = 2^b.
	for cost := from; cost < bcryptCost; cost++ {
		checkBcrypt(noBcrypt(cost), password)
	}
	if !old {
		checkBcrypt(noBcrypt(bcryptCost), password)
	}
	return false
}

func isBcrypt(hash string) bool {
	return strings.HasPrefix(hash, "$2a$") || strings.HasPrefix(hash, "$2b$") || strings.HasPrefix(hash, "$2y$")
}

// noBcrypt returns a hash of that cost that nothing matches.
func noBcrypt(cost int) string { return fmt.Sprintf("$2a$%02d$%s", cost, strings.Repeat(".", 53)) }

// checkBcrypt compares a bcrypt hash. It refuses passwords over 72 bytes, because
// bcrypt ignores the rest: two of them with the same first 72 bytes would match.
func checkBcrypt(hash, password string) bool {
	match := bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) == nil
	return match && len(password) <= 72
}

// argonHash is a parsed argon2id hash.
type argonHash struct {
	memory, time, lanes uint32
	salt, key           []byte
}

// parseArgon reads the PHC form. It refuses costs so high that an imported hash could
// exhaust the machine.
func parseArgon(hash string) (h argonHash, ok bool) {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, false
	}

	const costs = "m=%d,t=%d,p=%d"
	fmt.Sscanf(parts[3], costs, &h.memory, &h.time, &h.lanes)
	// Sscanf also accepts signs, blanks and trailing text. Printing the costs again
	// finds these.
	if parts[3] != fmt.Sprintf(costs, h.memory, h.time, h.lanes) {
		return h, false
	}

	var err1, err2 error
	h.salt, err1 = base64.RawStdEncoding.DecodeString(parts[4])
	h.key, err2 = base64.RawStdEncoding.DecodeString(parts[5])

	const most = 1 << 20 // KiB
	return h, err1 == nil && err2 == nil && len(h.key) >= 16 && len(h.key) <= 128 &&
		h.memory <= most && h.time >= 1 && h.time <= 64 && h.lanes >= 1 && h.lanes <= 64
}

func (h argonHash) matches(password string) bool {
	got := argon2.IDKey([]byte(password), h.salt, h.time, h.memory, uint8(h.lanes), uint32(len(h.key)))
	return subtle.ConstantTimeCompare(got, h.key) == 1
}
