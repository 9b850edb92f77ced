package issuer_test

import (
	"encoding/json"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/authtier/authtier/issuer"
)

// TestDiscoveryListsTheAlgorithmsOfPublishedKeys uses several kinds of key sets.
// Symmetric keys are never published.
func TestDiscoveryListsTheAlgorithmsOfPublishedKeys(t *testing.T) {
	for name, tt := range map[string]struct{ algs, want []string }{
		"one key":               {[]string{"ES256"}, []string{"ES256"}},
		"two keys of one kind":  {[]string{"EdDSA", "EdDSA"}, []string{"EdDSA"}},
		"keys of several kinds": {[]string{"RS256", "ES256", "RS256"}, []string{"RS256", "ES256"}},
		"a symmetric key":       {[]string{"HS256", "ES256"}, []string{"ES256"}},
		"symmetric keys alone":  {[]string{"HS256"}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			var signing []issuer.SigningKey
			for _, alg := range tt.algs {
				k, err := issuer.GenerateKey(alg)
				if err != nil {
					t.Fatal(err)
				}
				signing = append(signing, k)
			}
			keys, err := issuer.NewKeySet(signing[0], signing[1:]...)
			if err != nil {
				t.Fatal(err)
			}

			w := httptest.NewRecorder()
			registered(newIssuer(t, nil, issuer.Config{Keys: keys})).ServeHTTP(w, httptest.NewRequest("GET", "/.well-known/openid-configuration", nil))
			var got struct {
				Algs []string `json:"id_token_signing_alg_values_supported"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			if got.Algs == nil || !slices.Equal(got.Algs, tt.want) {
				t.Errorf("got %v in %s, want %v", got.Algs, w.Body, tt.want)
			}
		})
	}
}
