package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// credentials are an OAuthHandler for the SDK's client. From the challenge of a 401 alone
// they find the resource's metadata (RFC 9728), from it the issuer, and from the issuer's
// metadata (RFC 8414) the token endpoint, where they get a token with the client
// credentials grant.
//
// The SDK's own handlers ask for an authorization code and require PKCE of the issuer. An
// issuer without an authorization endpoint does not have it.
type credentials struct {
	id, secret string

	mu     sync.Mutex
	source oauth2.TokenSource
}

// TokenSource implements auth.OAuthHandler. Before the first 401 there is no token.
func (c *credentials) TokenSource(context.Context) (oauth2.TokenSource, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.source, nil
}

// Authorize implements auth.OAuthHandler.
func (c *credentials) Authorize(ctx context.Context, req *http.Request, resp *http.Response) error {
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		return fmt.Errorf("another token would not help: %s", resp.Status)
	}

	metadataURL, scope, err := challenge(resp)
	if err != nil {
		return err
	}
	resource, err := oauthex.GetProtectedResourceMetadata(ctx, metadataURL, req.URL.String(), http.DefaultClient)
	if err != nil {
		return err
	}
	if len(resource.AuthorizationServers) == 0 {
		return errors.New("the resource names no authorization server")
	}
	endpoint, err := tokenEndpoint(ctx, resource.AuthorizationServers[0])
	if err != nil {
		return err
	}

	cfg := clientcredentials.Config{ClientID: c.id, ClientSecret: c.secret, TokenURL: endpoint, Scopes: resource.ScopesSupported}
	if scope != "" {
		cfg.Scopes = strings.Fields(scope)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// The token source outlives the request.
	c.source = cfg.TokenSource(context.WithoutCancel(ctx))
	return nil
}

// challenge returns what the Bearer challenge of an answer says.
func challenge(resp *http.Response) (metadataURL, scope string, err error) {
	challenges, err := oauthex.ParseWWWAuthenticate(resp.Header.Values("WWW-Authenticate"))
	if err != nil {
		return "", "", err
	}
	for _, c := range challenges {
		if c.Scheme == "bearer" && c.Params["resource_metadata"] != "" {
			return c.Params["resource_metadata"], c.Params["scope"], nil
		}
	}
	return "", "", errors.New("no challenge names the resource's metadata")
}

// tokenEndpoint reads the issuer's metadata.
func tokenEndpoint(ctx context.Context, issuer string) (string, error) {
	u, err := url.Parse(issuer)
	if err != nil {
		return "", err
	}
	u.Path = "/.well-known/oauth-authorization-server" + strings.TrimSuffix(u.Path, "/")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()

	var metadata struct {
		Issuer   string `json:"issuer"`
		Endpoint string `json:"token_endpoint"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&metadata); err != nil {
		return "", err
	}
	if metadata.Issuer != issuer || metadata.Endpoint == "" {
		return "", fmt.Errorf("the metadata is of the issuer %q, expected %q with a token endpoint", metadata.Issuer, issuer)
	}
	return metadata.Endpoint, nil
}
