package bench

import (
	"crypto/rand"
	"maps"
	"net/http"
	"testing"
)

// An Opaque is a party with opaque tokens of its own: a valid one, invalid ones, and
// junk. Unless the party sets it, junk is like the valid token except for its end.
type Opaque struct {
	Party
	Good string
	Bad  map[string]*http.Request
	Junk func() string
}

// Check fails unless p accepts the good token and refuses all others.
func (p Opaque) Check(tb testing.TB) {
	tb.Helper()
	bad := map[string]*http.Request{
		"another character": WithToken(Tampered(p.Good)),
		"another end":       WithToken(p.another()),
		"no token":          Request(),
	}
	maps.Copy(bad, p.Bad)
	p.Party.Check(tb, WithToken(p.Good), bad)
}

// Bench looks tokens up. The refused token differs from a valid one in one character.
// Junk differs in more characters, which are new each time.
func (p Opaque) Bench(b *testing.B) {
	p.Check(b)
	junk := p.Junk
	if junk == nil {
		junk = p.another
	}
	p.Outcomes(b, "", WithToken(p.Good), WithToken(Tampered(p.Good)))
	p.Party.Junk(b, "", Request(), "Authorization", func() string { return "Bearer " + junk() })
}

func (p Opaque) another() string {
	end := rand.Text()[:20]
	return p.Good[:len(p.Good)-len(end)] + end
}
