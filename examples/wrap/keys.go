package main

import (
	"context"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// keys are clients by their API keys. Any lookup of one's own can be such a
// validator.
type keys map[string]string

func (k keys) Validate(_ context.Context, c middleware.Credential) (*middleware.Identity, error) {
	client, ok := k[c.Secret]
	if !ok {
		return nil, errorsx.CredentialsIncorrect
	}
	return &middleware.Identity{Issuer: "wrap", Client: client, Methods: middleware.ByAPIKey}, nil
}
