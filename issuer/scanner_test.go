package issuer_test

import (
	"crypto/rand"
	"os"
	"regexp"
	"testing"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/issuer/internal/secret"
	"github.com/authtier/authtier/store"
)

// TestScannerPatterns tries the patterns in the README.
func TestScannerPatterns(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	must(t, err)
	patterns := map[string]*regexp.Regexp{}
	for _, m := range regexp.MustCompile("(?m)^\\| ([A-Za-z ]+) \\| `(\\\\b[^`]+)` \\|$").FindAllSubmatch(readme, -1) {
		patterns[string(m[1])] = regexp.MustCompile(string(m[2]))
	}
	rule := regexp.MustCompile("(?m)^regex = '''(.+)'''$").FindSubmatch(readme)
	if rule == nil {
		t.Fatal("no rule of gitleaks")
	}
	all, iss := regexp.MustCompile(string(rule[1])), newIssuer(t, nil, issuer.Config{})
	kinds := map[string]func() string{
		"API key": func() string {
			key, err := iss.CreateAPIKey(t.Context(), store.APIKey{Client: "app"})
			must(t, err)
			return key
		},
		"client secret": func() string {
			plain, err := iss.CreateClient(t.Context(), store.Client{ID: rand.Text()})
			must(t, err)
			return plain
		},
		"access token":  func() string { return secret.Generate("authtier_at") },
		"refresh token": func() string { return secret.Generate("authtier_rt") },
		"session token": func() string { return secret.Generate("authtier_st") },
	}
	if len(patterns) != len(kinds) {
		t.Fatalf("patterns for %v", patterns)
	}
	for kind, generate := range kinds {
		for range 1000 {
			secret := generate()
			for other, p := range patterns {
				if got := p.FindString(`key = "` + secret + `",`); (got == secret) != (other == kind) || got != "" && other != kind {
					t.Fatalf("pattern of a %s: found %q in a %s, %s", other, got, kind, secret)
				}
			}
			if got := all.FindString("Bearer " + secret + "\n"); got != secret {
				t.Fatalf("rule of gitleaks: found %q in %s", got, secret)
			}
			for _, spoilt := range []string{secret[:len(secret)-1], secret[1:], secret + "a", "x" + secret} {
				if patterns[kind].MatchString(spoilt) || all.MatchString(spoilt) {
					t.Fatalf("a %s was found in %s, of %s", kind, spoilt, secret)
				}
			}
		}
	}
}
