package issuer

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"github.com/authtier/authtier/errorsx"
)

// New passwords are hashed with argon2id at these costs: memory in KiB, passes,
// lanes. Each hash takes some 25 ms of a core and 19 MiB.
const (
	argonMemory = 19 << 10
	argonTime   = 2
	argonLanes  = 1
	argonSalt   = 16
	argonKey    = 32
)

// HashPassword returns the argon2id hash of a password in PHC form, for
// store.User. It waits for its turn among all hashing of the process, see
// [Issuer.AuthenticateUser] for the errors.
func HashPassword(ctx context.Context, password string) (string, error) {
	salt := make([]byte, argonSalt)
	rand.Read(salt)
	var hash string
	err := hashing.do(ctx, func() {
		key := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonLanes, argonKey)
		hash = encodeArgon(salt, key)
	})
	return hash, err
}

// noHash is what a password is compared with where there is no hash to compare
// it with: who is unknown costs as much as who is known. Nothing matches it.
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

// outdated reports whether a hash is not as HashPassword makes them.
func outdated(hash string) bool {
	h, ok := parseArgon(hash)
	return !ok || h.memory != argonMemory || h.time != argonTime || h.lanes != argonLanes || len(h.key) != argonKey
}

// checkPassword reports whether the password has that hash: argon2id in PHC
// form, or bcrypt ($2a$, $2b$, $2y$). A hash of another form matches nothing, at
// the cost of one that does.
func checkPassword(ctx context.Context, hash, password string) (ok bool, err error) {
	check := func() bool { return checkBcrypt(hash, password) }
	switch {
	case strings.HasPrefix(hash, "$2a$"), strings.HasPrefix(hash, "$2b$"), strings.HasPrefix(hash, "$2y$"):
	default:
		a, readable := parseArgon(hash)
		if !readable {
			a, _ = parseArgon(noHash)
		}
		check = func() bool { return a.matches(password) }
	}
	err = hashing.do(ctx, func() { ok = check() })
	return ok, err
}

// checkBcrypt refuses what bcrypt would cut off: two passwords with the same
// first 72 bytes are not the same.
func checkBcrypt(hash, password string) bool {
	match := bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) == nil
	return match && len(password) <= 72
}

// argonHash is a parsed argon2id hash.
type argonHash struct {
	memory, time, lanes uint32
	salt, key           []byte
}

// parseArgon reads the PHC form. It refuses costs that an imported hash must not
// take the machine down with.
func parseArgon(hash string) (h argonHash, ok bool) {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, false
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.time, &h.lanes); err != nil {
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

// hashing bounds the cores and the memory that all password hashing of the
// process takes together.
var hashing = &limiter{slots: make(chan struct{}, runtime.GOMAXPROCS(0))}

type limiter struct {
	slots   chan struct{}
	waiting atomic.Int64
}

const (
	maxWaiting = 256
	maxWait    = 10 * time.Second
)

// do runs f in one of the slots. Where too many wait, or one waits too long, it
// refuses with AUTH-13 instead.
func (l *limiter) do(ctx context.Context, f func()) error {
	overloaded := &errorsx.Error{
		Code: errorsx.TooManyRequests, RetryAfter: time.Second,
		Err: errors.New("issuer: too many passwords to hash"),
	}
	defer l.waiting.Add(-1)
	if l.waiting.Add(1) > maxWaiting {
		return overloaded
	}
	timeout := time.NewTimer(maxWait)
	defer timeout.Stop()
	select {
	case l.slots <- struct{}{}:
	case <-timeout.C:
		return overloaded
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-l.slots }()
	f()
	return nil
}
