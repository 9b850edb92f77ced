package idp_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
)

func ExampleRemoteKeys() {
	// This server stands in for an identity provider. It publishes one key.
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","use":"sig","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`)
	}))
	defer provider.Close()

	keys, err := idp.OpenRemoteKeys(context.Background(), provider.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer keys.Close()
	tokens, err := idp.JWT(keys, idp.JWTConfig{Issuer: provider.URL, Audience: []string{"https://api.example.com"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	auth, err := middleware.NewCache(tokens, 10_000, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	h := middleware.Bearer(auth, nil)(http.NotFoundHandler())
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Println(w.Code, "with", keys.Stats().Keys, "key")
	// Output: 401 with 1 key
}

// This provider names the client in cid and the scopes in the list scp.
func ExampleJWT_otherClaims() {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	keys, err := idp.StaticKeys(idp.Key{ID: "k1", Alg: "EdDSA", Public: public})
	if err != nil {
		fmt.Println(err)
		return
	}
	tokens, err := idp.JWT(keys, idp.JWTConfig{
		Issuer: "https://id.example.com", Audience: []string{"https://api.example.com"}, Types: []string{"JWT"}, UserClaim: "sub",
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	translated := middleware.Around(tokens, func(ctx context.Context, c middleware.Credential, next middleware.Validator) (*middleware.Identity, error) {
		id, err := next.Validate(ctx, c)
		if err != nil {
			return nil, err
		}
		var claims struct {
			Client string   `json:"cid"`
			Scopes []string `json:"scp"`
		}
		if err := id.DecodeClaims(&claims); err != nil {
			return nil, &errorsx.Error{Code: errorsx.UnknownToken, Err: err}
		}
		for _, scope := range claims.Scopes {
			if scope == "" || strings.Contains(scope, " ") || !middleware.Scopes(scope).Valid() {
				return nil, errorsx.UnknownToken // joined, it would become several scopes
			}
		}
		id.Client, id.Scopes = claims.Client, middleware.Scopes(strings.Join(claims.Scopes, " "))
		if id.User == id.Client {
			id.User = "" // a client's own token
		}
		return id, nil
	})

	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{
		"iss": "https://id.example.com", "aud": "https://api.example.com", "sub": "ada", "cid": "app",
		"scp": []string{"read", "write"}, "exp": time.Now().Add(time.Hour).Unix(),
	})
	token.Header["kid"] = "k1"
	signed, err := token.SignedString(private)
	if err != nil {
		fmt.Println(err)
		return
	}

	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+signed)
	id, err := middleware.Check(r, middleware.Bearer(translated, nil))
	fmt.Println(id.Client, id.User, id.Scopes, err)
	// Output: app ada read write <nil>
}
