package store

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxName is the greatest length, in bytes, of a name, an ID, a scope or a text.
const maxName = 255

// faults collects the faults of one record.
type faults struct {
	what, name string // the type and the name of the record
	errs       []error
}

func (f *faults) add(field, problem string, args ...any) {
	f.errs = append(f.errs, fmt.Errorf("%s "+problem, append([]any{field}, args...)...))
}

// err returns all faults as one error, or nil.
func (f *faults) err() error {
	if len(f.errs) == 0 {
		return nil
	}
	what := f.what
	if f.name != "" {
		what = fmt.Sprintf("%s %.64q", what, f.name)
	}
	return fmt.Errorf("store: the %s: %w", what, errors.Join(f.errs...))
}

// fixed adds a fault if an update changed a field that no update may change.
func (f *faults) fixed(field string, changed bool) {
	if changed {
		f.add(field, "was changed, and an update may not change it")
	}
}

// required checks a name that may not be empty.
func (f *faults) required(field, name string) {
	if name == "" {
		f.add(field, "is empty")
		return
	}
	f.text(field, name)
}

// text checks a name or a text, which may be empty.
func (f *faults) text(field, s string) {
	switch {
	case len(s) > maxName:
		f.add(field, "has %d bytes, expected at most %d", len(s), maxName)
	case !utf8.ValidString(s):
		f.add(field, "is not valid UTF-8")
	case strings.ContainsFunc(s, unicode.IsControl):
		f.add(field, "contains a control character")
	}
}

// usageName checks a name by which usage is counted. It may be longer than other names
// and contain control characters except NUL.
func (f *faults) usageName(field, name string) {
	switch {
	case name == "":
		f.add(field, "is empty")
	case !utf8.ValidString(name) || strings.IndexByte(name, 0) >= 0:
		f.add(field, "is not UTF-8, or contains NUL")
	}
}

// day checks that a day is from first to last, both included.
func (f *faults) day(field string, day, first, last Day) {
	if day < first || day > last {
		f.add(field, "is %d, expected a day from %d (%v) to %d (%v), see DayOf", day, first, first, last, last)
	}
}

// scopes checks a list of scope tokens (RFC 6749 section 3.3).
func (f *faults) scopes(field string, scopes []string) {
	for n, s := range scopes {
		switch {
		case len(s) > maxName:
			f.add(field, "has a scope of %d bytes, expected at most %d", len(s), maxName)
		case s == "" || strings.ContainsFunc(s, notInScope):
			f.add(field, "has the scope %q, expected printable ASCII without blanks, quotes and backslashes", s)
		case slices.Contains(scopes[:n], s):
			f.add(field, "has the scope %q twice", s)
		}
	}
}

func notInScope(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }

// within adds a fault for each item that the list all lacks.
func (f *faults) within(field string, items []string, allField string, all []string) {
	for _, item := range items {
		if !slices.Contains(all, item) {
			f.add(field, "has %.64q, which %s lacks", item, allField)
		}
	}
}

func (f *faults) grants(grants []string) {
	known := []string{GrantClientCredentials, GrantPassword, GrantRefreshToken}
	for _, grant := range grants {
		if !slices.Contains(known, grant) {
			f.add("Grants", "has %.64q, expected of %s", grant, strings.Join(known, ", "))
		}
	}
}

func (f *faults) secrets(secrets []Secret) {
	for n, s := range secrets {
		f.secret(fmt.Sprintf("Secrets[%d].", n), s)
		same := func(other Secret) bool { return other.ID == s.ID || other.Digest == s.Digest }
		if slices.ContainsFunc(secrets[:n], same) {
			f.add(fmt.Sprintf("Secrets[%d]", n), "has the ID or the digest of another")
		}
	}
}

func (f *faults) secret(prefix string, s Secret) {
	f.required(prefix+"ID", s.ID)
	f.digest(prefix+"Digest", s.Digest)
	f.life(prefix, s.Created, s.Expires)
}

var emptyDigest = DigestOf("")

func (f *faults) digest(field string, d Digest) {
	if d == (Digest{}) || d == emptyDigest {
		f.add(field, "is not the digest of a secret")
	}
}

// span checks the expiry of a record whose time of creation may be unknown.
func (f *faults) span(field string, created, expires time.Time) {
	if !created.IsZero() && !expires.IsZero() && !expires.After(created) {
		f.add(field, "is %v, expected a time after Created, or none", expires)
	}
}

// life checks the expiry of a record that is being created.
func (f *faults) life(prefix string, created, expires time.Time) {
	f.span(prefix+"Expires", created, expires)
	if now := time.Now(); !expires.IsZero() && !expires.After(now) {
		f.add(prefix+"Expires", "is %v, which is past", expires)
	}
}

// sooner adds a fault if an update moves an end to a later time. Otherwise writing back
// a record that was read before could revive one that has ended since.
func (f *faults) sooner(field string, expires, old time.Time) {
	if !old.IsZero() && (expires.IsZero() || expires.After(old)) {
		f.add(field, "was moved from %v to %v, and an update may only move it to an earlier time", old, expires)
	}
}

func (f *faults) networks(field string, networks []netip.Prefix) {
	for _, n := range networks {
		switch {
		case !n.IsValid():
			f.add(field, "has an invalid prefix")
		case n.Addr().Is4In6():
			f.add(field, "has %v, expected the IPv4 prefix itself", n)
		case n != n.Masked():
			f.add(field, "has %v, expected %v", n, n.Masked())
		}
	}
}

// bcryptForm matches a hash of bcrypt, with its cost.
var bcryptForm = regexp.MustCompile(`^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$`)

// isHash reports whether a password can match hash: argon2id of version 19 in PHC form
// with costs that checking passwords accepts, or bcrypt.
func isHash(hash string) bool {
	if m := bcryptForm.FindStringSubmatch(hash); m != nil {
		return m[1] >= "04" && m[1] <= "31"
	}

	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != "v=19" {
		return false
	}

	// Printing the costs again refuses signs, blanks and trailing text, which Sscanf
	// accepts.
	const costs = "m=%d,t=%d,p=%d"
	var memory, time, lanes uint32
	fmt.Sscanf(parts[3], costs, &memory, &time, &lanes)
	if parts[3] != fmt.Sprintf(costs, memory, time, lanes) {
		return false
	}
	_, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	key, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	return err1 == nil && err2 == nil && len(key) >= 16 && len(key) <= 128 &&
		memory <= 1<<20 && time >= 1 && time <= 64 && lanes >= 1 && lanes <= 64
}

// password checks that a user's Password is a hash. The error does not repeat it.
func (f *faults) password(hash string) {
	if hash != "" && !isHash(hash) {
		f.add("Password", "is not a hash, expected argon2id in PHC form or bcrypt")
	}
}

func sameSecret(a, b Secret) bool {
	return a.ID == b.ID && a.Digest == b.Digest && a.Created.Equal(b.Created) && a.Expires.Equal(b.Expires)
}
