// Command verify lets requests through that carry a token of somebody else's
// issuer, whose public key it has. There is no store. The test beside it shows such
// a token.
package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"log"
	"net/http"

	"github.com/authtier/authtier/middleware"
)

// publicKey is the issuer's Ed25519 key, as it would be in a configuration.
const publicKey = "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"

func main() {
	key, err := base64.RawURLEncoding.DecodeString(publicKey)
	if err != nil {
		log.Fatal(err)
	}
	h, err := handler(key)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", h))
}

func handler(key ed25519.PublicKey) (http.Handler, error) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello", func(w http.ResponseWriter, r *http.Request) {
		id, _ := middleware.IdentityFromContext(r.Context())
		fmt.Fprintln(w, "hello,", id.User)
	})

	keys, err := middleware.StaticKeys(middleware.Key{ID: "k1", Alg: "EdDSA", Public: key})
	if err != nil {
		return nil, err
	}
	tokens, err := middleware.JWT(keys, middleware.JWTConfig{
		Issuer:    "https://id.example.com",
		Audience:  []string{"https://api.example.com"},
		Types:     []string{"at+jwt", "JWT"},
		UserClaim: "sub",
	})
	if err != nil {
		return nil, err
	}
	return middleware.Bearer(tokens, &middleware.BearerConfig{RequireUser: true})(mux), nil
}
