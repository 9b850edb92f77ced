package idp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authtier/authtier/errorsx"
)

// discover returns the URL of the key set from the issuer's metadata: at its place of RFC
// 8414, then at the one of OpenID Connect Discovery. The metadata must name the same
// issuer.
func (cfg *Config) discover(ctx context.Context) (jwksURL string, err error) {
	issuer := cfg.Issuers[0]
	if _, _, isTemplate := cutTenant(issuer); isTemplate {
		return "", errors.New("the issuer is a template, so that nothing can be discovered: set JWKSURL")
	}
	if err := cfg.checkURL(issuer); err != nil {
		return "", fmt.Errorf("the issuer: %w: set JWKSURL if the issuer is no URL", err)
	}

	u, _ := url.Parse(issuer) // checkURL has parsed it
	rfc8414 := *u
	rfc8414.Path = "/.well-known/oauth-authorization-server" + strings.TrimSuffix(u.Path, "/")
	oidc := strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"

	var errs []error
	for _, place := range []string{rfc8414.String(), oidc} {
		jwksURL, err := cfg.metadata(ctx, place, issuer)
		if err == nil {
			return jwksURL, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", place, err))
	}
	return "", errors.Join(errs...)
}

// metadata fetches one metadata document and returns its jwks_uri.
func (cfg *Config) metadata(ctx context.Context, place, issuer string) (jwksURL string, err error) {
	defer errorsx.Recovered("idp: the HTTPClient", &err)
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Accept", "application/json")

	body, err := remoteBody(remoteClient(cfg.HTTPClient, sameHost), req)
	if err != nil {
		return "", err
	}

	var document struct {
		Issuer  string         `json:"issuer"`
		JWKSURI string         `json:"jwks_uri"`
		Keys    jsontext.Value `json:"keys"`
	}
	// Metadata may have members of any kind, and some servers repeat them.
	err = json.Unmarshal(body, &document, jsontext.AllowDuplicateNames(true))
	switch {
	case err != nil:
		return "", fmt.Errorf("found %s, expected metadata (RFC 8414)", kindOf(body))
	case document.Issuer == "" && document.Keys != nil:
		return "", errors.New("found a key set, expected metadata: set JWKSURL to this URL")
	case document.Issuer != issuer:
		return "", fmt.Errorf("the metadata is of the issuer %.64q, expected %q", document.Issuer, issuer)
	case document.JWKSURI == "":
		return "", errors.New("the metadata has no jwks_uri")
	}

	if err := cfg.checkURL(document.JWKSURI); err != nil {
		return "", fmt.Errorf("the jwks_uri: %w", err)
	}
	if strings.HasPrefix(place, "https:") && !strings.HasPrefix(document.JWKSURI, "https:") {
		return "", errors.New("the jwks_uri is http in a document that came over https")
	}
	return document.JWKSURI, nil
}

// kindOf says what a body is that is no JSON object.
func kindOf(body []byte) string {
	text := bytes.TrimSpace(body)
	switch {
	case len(text) == 0:
		return "nothing"
	case text[0] == '<':
		return "HTML or XML"
	case bytes.Contains(text, []byte("-----BEGIN")):
		return "certificates or keys in PEM"
	case text[0] == '{':
		return "JSON of another form"
	}
	return "no JSON object"
}
