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

// A metadataURL is a member of an issuer's metadata, and the field of the configuration
// that takes its place.
type metadataURL struct{ member, field string }

var (
	keySetURL        = metadataURL{"jwks_uri", "JWKSURL"}
	introspectionURL = metadataURL{"introspection_endpoint", "Endpoint"}
)

// discover returns a URL from the issuer's metadata: at its place of RFC 8414, then at the
// one of OpenID Connect Discovery. The metadata must name the same issuer.
func (cfg *Config) discover(ctx context.Context, want metadataURL) (found string, err error) {
	issuer := cfg.Issuers[0]
	if _, _, isTemplate := cutTenant(issuer); isTemplate {
		return "", fmt.Errorf("the issuer is a template, so that nothing can be discovered: set %s", want.field)
	}
	if err := cfg.checkURL(issuer); err != nil {
		return "", fmt.Errorf("the issuer: %w: set %s if the issuer is no URL", err, want.field)
	}

	u, _ := url.Parse(issuer) // checkURL has parsed it
	rfc8414 := *u
	rfc8414.Path = "/.well-known/oauth-authorization-server" + strings.TrimSuffix(u.Path, "/")
	oidc := strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"

	var errs []error
	for _, place := range []string{rfc8414.String(), oidc} {
		found, err := cfg.metadata(ctx, place, issuer, want)
		if err == nil {
			return found, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", place, err))
	}
	return "", errors.Join(errs...)
}

// metadata fetches one metadata document and returns the URL in it.
func (cfg *Config) metadata(ctx context.Context, place, issuer string, want metadataURL) (found string, err error) {
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
		Issuer        string         `json:"issuer"`
		JWKSURI       string         `json:"jwks_uri"`
		Introspection any            `json:"introspection_endpoint"`
		Keys          jsontext.Value `json:"keys"`
	}
	// Metadata may have members of any kind, and some servers repeat them.
	err = json.Unmarshal(body, &document, jsontext.AllowDuplicateNames(true))
	found = document.JWKSURI
	if want == introspectionURL {
		found, _ = document.Introspection.(string)
	}

	switch {
	case err != nil:
		return "", fmt.Errorf("found %s, expected metadata (RFC 8414)", kindOf(body))
	case document.Issuer == "" && document.Keys != nil:
		return "", errors.New("found a key set, expected metadata: the URL of a key set is for JWKSURL")
	case document.Issuer != issuer:
		return "", fmt.Errorf("the metadata is of the issuer %.64q, expected %q", document.Issuer, issuer)
	case found == "":
		return "", fmt.Errorf("the metadata has no %s: set %s", want.member, want.field)
	}

	if err := cfg.checkURL(found); err != nil {
		return "", fmt.Errorf("the %s: %w", want.member, err)
	}
	if strings.HasPrefix(place, "https:") && !strings.HasPrefix(found, "https:") {
		return "", fmt.Errorf("the %s is http in a document that came over https", want.member)
	}
	return found, nil
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
