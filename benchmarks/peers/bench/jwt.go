package bench

import (
	"net/http"
	"testing"
)

// A JWT is a party that verifies JWTs, by the algorithms that it can.
type JWT struct {
	Name    string
	Algs    []string
	Handler func(tb testing.TB, s *Signer) http.Handler
}

// party returns the party for one signer, after it has passed Check.
func (p JWT) party(tb testing.TB, s *Signer) Party {
	tb.Helper()
	q := Party{p.Name, p.Handler(tb, s)}
	q.Check(tb, WithToken(s.Token(tb, nil)), s.Bad(tb))
	return q
}

// Test fails unless p accepts the valid token and refuses all invalid ones.
func (p JWT) Test(t *testing.T) {
	for _, alg := range p.Algs {
		p.party(t, NewSigner(alg))
	}
}

// Bench sends one good token, and one with another signature, again and again.
func (p JWT) Bench(b *testing.B) {
	for _, alg := range p.Algs {
		s := NewSigner(alg)
		token := s.Token(b, nil)
		p.party(b, s).Outcomes(b, "/alg="+alg, WithToken(token), WithToken(Tampered(token)))
	}
}

// BenchFresh sends many tokens in turn, on all cores.
func (p JWT) BenchFresh(b *testing.B) {
	for _, alg := range p.Algs {
		b.Run("peer="+p.Name+"/alg="+alg, func(b *testing.B) {
			s := NewSigner(alg)
			ServeInTurn(b, p.party(b, s).Handler, true, Request(), "Authorization", s.Fresh(b))
		})
	}
}
