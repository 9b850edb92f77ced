// Package idp accepts the access tokens of identity providers and of other issuers.
//
//	tokens, err := idp.Open(ctx, idp.Auth0("example.eu.auth0.com", "https://api.example.com"))
//	auth, err := middleware.NewCache(tokens, 100_000, nil)
//	h := middleware.Bearer(auth, nil)(mux)
//
// [Open] verifies signed tokens (JWTs, RFC 7519) of one or more issuers. The functions
// that are named after a provider return its [Config]; for any other issuer write the
// Config yourself. [OpenIntrospection] asks the issuer about each token (RFC 7662), which
// opaque tokens need.
//
// A [middleware.Cache] around a validator of this package learns of keys that are
// withdrawn. Around an [Introspector] it needs a TTL.
//
// The first of these checks that fails decides the error code: the form of the token and
// its iss (AUTH-12), the key and the signature (AUTH-10), the type (AUTH-9), exp (AUTH-11),
// and then audience, client, tenant, nbf, iat and the rest (AUTH-12). The cause of a
// refusal ([errorsx.Error]) names the claim or header member, the expectation and the
// value found. It shows at most 64 bytes of the values of iss, aud, the client, typ, alg
// and kid. Of all others it shows only the JSON kind.
package idp
