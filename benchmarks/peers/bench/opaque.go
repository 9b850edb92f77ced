package bench

import (
	"crypto/rand"
	"maps"
	"net/http"
	"testing"
)

// An Opaque is a party with opaque tokens of its own: a good one, bad ones, and
// junk, which is like the good one but for its end unless the party says what it
// is.
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

// Bench looks tokens up. What is refused differs from a good token in one
// character; junk does so in more, each time anew.
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
