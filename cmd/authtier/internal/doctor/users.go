package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/store"
)

// leastBcrypt is the lowest cost of bcrypt that is no warning.
const leastBcrypt = 10

// checkUsers checks each user and the kind of each password's hash. It never shows a hash.
func (e *examination) checkUsers(ctx context.Context) error {
	today, err := issuer.HashPassword(ctx, "")
	if err != nil {
		return err
	}
	least := argonWork(today)

	f := newRecords(e)
	var weak, slow tally
	bcrypts, highest := 0, 0
	after, users := "", 0
	for {
		list, err := e.db.ListUsers(ctx, after, e.page)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			break
		}
		for _, listed := range list {
			// A list has no hashes.
			u, err := e.db.User(ctx, listed.Login)
			if errors.Is(err, store.ErrNotFound) {
				continue // deleted since it was listed
			}
			if err != nil {
				return err
			}
			if err := u.Check(); err != nil {
				f.invalid("user", u.Login, err)
			}
			if cost, isBcrypt := bcryptCost(u.Password); isBcrypt {
				bcrypts, highest = bcrypts+1, max(highest, cost)
				if cost > issuer.MaxBcryptCost {
					slow.add(u.Login)
				}
			}
			if isWeak(u.Password, least) {
				weak.add(u.Login)
			}
			users++
		}
		after = list[len(list)-1].Login
	}

	f.report()
	if weak.n > 0 {
		e.add(warning, "the next login with the password replaces the hash; set-password does so too", "the passwords of %s have hashes that are cheaper to guess than today's (%v)", cli.Plural(weak.n, "user"), &weak)
	}
	if slow.n > 0 {
		e.add(fault, "run authtier user set-password: anyone can occupy the server with logins of these users", "the passwords of %s have bcrypt hashes of a cost above %d (%v)", cli.Plural(slow.n, "user"), issuer.MaxBcryptCost, &slow)
	}
	if bcrypts > 0 && slow.n == 0 {
		e.add(good, "", "the passwords of %s have bcrypt hashes of cost %d or less; --bcrypt-cost of the servers must be as high", cli.Plural(bcrypts, "user"), highest)
	}
	if !f.found && weak.n+slow.n == 0 {
		e.add(good, "", "%s and their password hashes are as they should be", cli.Plural(users, "user"))
	}
	return nil
}

// isWeak reports whether a hash takes less work than the least. A text that is no hash is
// a fault of the record instead.
func isWeak(hash string, least uint64) bool {
	if hash == "" || store.CheckPasswordHash(hash) != nil {
		return false
	}
	if cost, isBcrypt := bcryptCost(hash); isBcrypt {
		return cost < leastBcrypt
	}
	return argonWork(hash) < least
}

// bcryptCost returns the cost of a hash, if it is one of bcrypt.
func bcryptCost(hash string) (cost int, ok bool) {
	cost, err := bcrypt.Cost([]byte(hash))
	return cost, err == nil
}

// argonWork returns the memory times the passes of a hash such as
// $argon2id$v=19$m=19456,t=2,p=1$..., or 0.
func argonWork(hash string) uint64 {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 {
		return 0
	}
	var memory, passes, lanes uint64
	fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &lanes)
	return memory * passes
}
