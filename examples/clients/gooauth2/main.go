// Command gooauth2 gets a token with x/oauth2 and calls the API with it.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"golang.org/x/oauth2/clientcredentials"
)

func main() {
	cfg := clientcredentials.Config{
		ClientID: os.Getenv("CLIENT_ID"), ClientSecret: os.Getenv("CLIENT_SECRET"),
		TokenURL: os.Getenv("ISSUER") + "/oauth2/token", Scopes: []string{"reports:read"},
	}
	resp, err := cfg.Client(context.Background()).Get(os.Getenv("API"))
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(string(body))
}
