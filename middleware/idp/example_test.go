package idp_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

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
