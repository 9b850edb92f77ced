package issuer

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer/internal/keyring"
)

// metadata is the document of RFC 8414 section 2.
type metadata struct {
	Issuer                string   `json:"issuer"`
	TokenEndpoint         string   `json:"token_endpoint"`
	KeysURI               string   `json:"jwks_uri"`
	IntrospectionEndpoint string   `json:"introspection_endpoint"`
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	ResponseTypes         []string `json:"response_types_supported"`
	GrantTypes            []string `json:"grant_types_supported"`
	TokenAuth             []string `json:"token_endpoint_auth_methods_supported"`
	IntrospectionAuth     []string `json:"introspection_endpoint_auth_methods_supported"`
	RevocationAuth        []string `json:"revocation_endpoint_auth_methods_supported"`
}

const (
	keysPath     = "/.well-known/jwks.json"
	metadataPath = "/.well-known/oauth-authorization-server"
	openIDPath   = "/.well-known/openid-configuration"
)

// metadata returns the authorization server's metadata (RFC 8414). It comes from the
// configuration only; nothing in it depends on the request.
func (i *Issuer) metadata() any { return i.commonMetadata() }

func (i *Issuer) commonMetadata() metadata {
	auth := []string{"client_secret_basic", "client_secret_post"}
	if i.cfg.BehindAPIKey {
		// API keys have no registered method name.
		auth = []string{}
	}
	base := i.url + i.cfg.Base
	return metadata{
		Issuer:                i.url,
		TokenEndpoint:         base + "/token",
		KeysURI:               i.url + keysPath,
		IntrospectionEndpoint: base + "/introspect",
		RevocationEndpoint:    base + "/revoke",
		ResponseTypes:         []string{},
		GrantTypes:            i.grants(),
		TokenAuth:             auth,
		IntrospectionAuth:     auth,
		RevocationAuth:        auth,
	}
}

// openIDMetadata is the metadata plus the members that OpenID Connect Discovery 1.0
// section 3 requires and that apply here. There is no authorization_endpoint.
type openIDMetadata struct {
	metadata
	SubjectTypes []string `json:"subject_types_supported"`
	IDTokenAlgs  []string `json:"id_token_signing_alg_values_supported"`
}

// openIDMetadata returns the metadata in the form of OpenID Connect Discovery. It is
// for resource servers that look for the key set only there; the issuer makes no ID
// tokens. The algorithms are those of the keys that [Issuer.KeysHandler] publishes.
func (i *Issuer) openIDMetadata() any {
	return openIDMetadata{i.commonMetadata(), []string{"public"}, i.keys.Algs()}
}

// KeysHandler returns a handler of the public keys that verify this issuer's tokens
// (RFC 7517). It does not publish symmetric keys.
func (i *Issuer) KeysHandler() http.Handler {
	i.mustExist("KeysHandler")
	return i.public(func() any { return json.RawMessage(i.keys.JWKS()) })
}

// public returns a handler of a document that any cache may keep.
func (i *Issuer) public(document func() any) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if i.closed.Load() {
			var inherited *errorsx.Writer
			inherited.Refuse(w, r, "", errClosed)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", fmt.Sprintf("public, max-age=%d", keyring.PublicAge/time.Second))
		w.Header().Set("X-Content-Type-Options", "nosniff")

		// A write error means that the client has gone.
		json.NewEncoder(w).Encode(document())
	})
}
