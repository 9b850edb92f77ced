package ours

import (
	"crypto/rand"
	"net/http"
	"testing"
	"time"

	"github.com/authtier/authtier/benchmarks/peers/bench"
	"github.com/authtier/authtier/store"
)

// opaqueParty looks tokens up in the memory store, or in the cache before it.
func opaqueParty(tb testing.TB, cached bool) bench.Opaque {
	tb.Helper()
	s := NewSite(tb, "opaque")
	p := bench.Party{Name: "authtier-store", Handler: bearer(s.iss)}
	if cached {
		p = bench.Party{Name: "authtier", Handler: bearer(s.cache)}
	}
	return bench.Opaque{Party: p, Good: s.Token(tb, bench.Scope), Bad: map[string]*http.Request{
		"an expiry past":   bench.WithToken(s.opaque(tb, bench.Audience, time.Now().Add(-time.Second))),
		"another audience": bench.WithToken(s.opaque(tb, "https://other.example", time.Now().Add(time.Hour))),
		"other scopes":     bench.WithToken(s.Token(tb, "files")),
		"a bad checksum":   bench.WithToken(s.Token(tb, bench.Scope) + "0"),
	}, Junk: junk}
}

// opaque stores a token that the issuer would not make.
func (s *Site) opaque(tb testing.TB, aud string, expires time.Time) string {
	tb.Helper()
	token := NewSite(tb, "opaque").Token(tb, bench.Scope) // of another site
	bench.Must(tb, s.db.PutTokens(tb.Context(), store.Token{
		ID: token[:20], Family: token[:20], Client: bench.ClientID, Audience: aud, Scopes: bench.Scope,
		Digest: store.DigestOf(token), Issued: expires.Add(-time.Hour), Expires: expires, FamilyEnds: expires,
	}))
	return token
}

// junk returns an opaque token whose checksum fails.
func junk() string { return "authtier_at_" + (rand.Text() + rand.Text())[:49] }

func TestOpaque(t *testing.T) {
	for _, cached := range []bool{true, false} {
		opaqueParty(t, cached).Check(t)
	}
}

func BenchmarkOpaque(b *testing.B) {
	for _, cached := range []bool{true, false} {
		opaqueParty(b, cached).Bench(b)
	}
}
