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
	"sync"
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
		enc := base64.RawStdEncoding
		hash = fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
			argonMemory, argonTime, argonLanes, enc.EncodeToString(salt), enc.EncodeToString(key))
	})
	return hash, err
}

// dummyHash is verified in place of a hash that does not exist: who is unknown
// costs as much as who is known.
var dummyHash = sync.OnceValue(func() string {
	hash, err := HashPassword(context.Background(), rand.Text())
	if err != nil {
		panic("issuer: " + err.Error()) // only a context or a full queue can fail it
	}
	return hash
})

// checkPassword reports whether the password has that hash: argon2id in PHC
// form, or bcrypt ($2a$, $2b$, $2y$). A hash of another form matches nothing.
func checkPassword(ctx context.Context, hash, password string) (ok bool, err error) {
	check := checkArgon
	switch {
	case strings.HasPrefix(hash, "$2a$"), strings.HasPrefix(hash, "$2b$"), strings.HasPrefix(hash, "$2y$"):
		check = checkBcrypt
	case !strings.HasPrefix(hash, "$argon2id$"):
		hash = dummyHash()
		_, err := checkPassword(ctx, hash, password)
		return false, err
	}
	err = hashing.do(ctx, func() { ok = check(hash, password) })
	return ok, err
}

// checkBcrypt refuses what bcrypt would cut off: two passwords with the same
// first 72 bytes are not the same.
func checkBcrypt(hash, password string) bool {
	match := bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) == nil
	return match && len(password) <= 72
}

func checkArgon(hash, password string) bool {
	var version, memory, time, lanes uint32
	parts := strings.Split(hash, "$")
	if len(parts) != 6 {
		return false
	}
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return false
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &time, &lanes); err != nil {
		return false
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	want, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	const most = 1 << 20 // KiB: an imported hash must not take the machine down
	if err1 != nil || err2 != nil || len(want) < 16 || len(want) > 128 ||
		memory > most || time < 1 || time > 64 || lanes < 1 || lanes > 64 {
		return false
	}
	got := argon2.IDKey([]byte(password), salt, time, memory, uint8(lanes), uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1
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
