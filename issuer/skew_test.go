package issuer_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// TestS04SkewedNodes validates tokens on nodes whose clocks differ by minutes. A
// revoked token stays revoked on all of them, and a token expires by the clock of each
// node.
func TestS04SkewedNodes(t *testing.T) {
	formats(t, func(t *testing.T, cfg issuer.Config) {
		cfg.AccessTTL = time.Hour
		iss := newIssuer(t, nil, cfg)
		token := mint(t, iss, issuer.Grant{Client: "app", User: "ada"}).AccessToken
		at := func(d time.Duration) errorsx.Code {
			_, err := iss.Validate(t.Context(), middleware.Credential{Scheme: middleware.SchemeBearer, Secret: token}.At(time.Now().Add(d)))
			return codeOf(err)
		}
		for _, tt := range []struct {
			at   time.Duration
			want errorsx.Code
		}{
			{0, 0}, {5 * time.Second, 0}, {65 * time.Minute, errorsx.TokenExpired}, {time.Hour, errorsx.TokenExpired},
		} {
			if got := at(tt.at); got != tt.want {
				t.Errorf("S04 a clock that is %v ahead: got %v, want %v", tt.at, got, tt.want)
			}
		}
		if err := iss.RevokeToken(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		for _, skew := range []time.Duration{-time.Hour, -5 * time.Minute, -time.Second, 0, 5 * time.Second} {
			if got := at(skew); got != errorsx.UnknownToken {
				t.Errorf("S04 revoked, by a clock that is %v ahead: got %v", skew, got)
			}
		}
	})
}

// TestS04SweptByAnother lets nodes whose clocks are ahead sweep the store. A node that
// starts afterwards with a slow clock must still know the revocations.
func TestS04SweptByAnother(t *testing.T) {
	formats(t, func(t *testing.T, cfg issuer.Config) {
		for _, ahead := range []time.Duration{0, 5 * time.Minute, 30 * time.Minute} {
			db := newStore(t)
			key, err := issuer.GenerateKey("ES256")
			if err != nil {
				t.Fatal(err)
			}
			keys, err := issuer.NewKeySet(key)
			if err != nil {
				t.Fatal(err)
			}
			cfg.AccessTTL = time.Minute
			if !cfg.OpaqueTokens {
				cfg.Keys = keys
			}
			iss := newIssuer(t, db, cfg)
			tokens := mint(t, iss, issuer.Grant{Client: "app", User: "ada"})
			if err := iss.RevokeToken(t.Context(), tokens.AccessToken); err != nil {
				t.Fatal(err)
			}
			if err := db.Sweep(t.Context(), time.Now().Add(ahead)); err != nil {
				t.Fatal(err)
			}
			if _, code := validate(t, newIssuer(t, db, cfg), tokens.AccessToken); code != errorsx.UnknownToken {
				t.Errorf("S04 revoked, swept by a clock that is %v ahead: got %v", ahead, code)
			}
		}
	})
}

// TestR09UsedTokens rotates and sweeps every day for a month. The first token is known
// as used until its family ends, and is deleted soon after.
func TestR09UsedTokens(t *testing.T) {
	const day = 24 * time.Hour
	for _, reusedOn := range []int{1, 15, 29} {
		synctest.Test(t, func(t *testing.T) {
			db := newStore(t)
			iss := newIssuer(t, db, issuer.Config{RefreshTTL: 3 * day, FamilyTTL: 30 * day})
			first := mint(t, iss, issuer.Grant{Client: "app", User: "ada", Refresh: true})
			bystander := mint(t, iss, issuer.Grant{Client: "app", User: "ada", Refresh: true}).RefreshToken
			last, used := first.RefreshToken, []string{bystander}
			for n := range reusedOn {
				time.Sleep(day)
				must(t, hear(t, iss))
				if err := db.Sweep(t.Context(), time.Now()); err != nil {
					t.Fatal(err)
				}
				next, err := iss.Refresh(t.Context(), "app", last, "")
				if err != nil {
					t.Fatalf("R09 on day %d: %v", n+1, err)
				}
				again, err := iss.Refresh(t.Context(), "app", bystander, "")
				if err != nil {
					t.Fatalf("R09 another family on day %d: %v", n+1, err)
				}
				last, bystander = next.RefreshToken, again.RefreshToken
				used = append(used, bystander)
			}
			_, err := iss.Refresh(t.Context(), "app", first.RefreshToken, "")
			wantCode(t, "R09 the first token again", err, errorsx.UnknownToken)
			_, err = iss.Refresh(t.Context(), "app", last, "")
			wantCode(t, "R09 the last token of its family", err, errorsx.UnknownToken)
			if _, err := iss.Refresh(t.Context(), "app", bystander, ""); err != nil {
				t.Errorf("R09 another family: %v", err)
			}
			time.Sleep(31 * day)
			if err := db.Sweep(t.Context(), time.Now()); err != nil {
				t.Fatal(err)
			}
			for n, token := range used {
				if _, err := db.Token(t.Context(), store.DigestOf(token)); err == nil {
					t.Errorf("R09 the token of day %d is kept after its family's end", n)
				}
			}
		})
	}
}
