// Package idp accepts the access tokens of identity providers and of other issuers.
//
//	tokens, err := idp.Open(ctx, idp.Auth0("example.eu.auth0.com", "https://api.example.com"))
//	auth, err := middleware.NewCache(tokens, 100_000, nil)
//	h := middleware.Bearer(auth, nil)(mux)
//
// [Open] verifies signed tokens (JWTs) of one or more issuers. The functions that are
// named after a provider return its [Config]; for any other issuer write the Config
// yourself. [Introspection] asks the issuer about each token (RFC 7662), which opaque
// tokens need.
//
// [JWT] and [JWTs] verify the tokens of issuers that follow RFC 9068 with keys from
// [StaticKeys] or [RemoteKeys].
//
// A [middleware.Cache] around a validator of this package learns of keys that are
// withdrawn. Around Introspection it needs a TTL.
package idp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/internal/syntax"
	"github.com/authtier/authtier/middleware/internal/wiring"
)

// JWTConfig configures [JWT].
type JWTConfig struct {
	// Issuer is the only accepted iss, compared exactly. It must be set.
	Issuer string

	// Audience lists the accepted audiences. A token must have at least one of them,
	// and at least one must be given (RFC 8725 section 3.9).
	Audience []string

	// Types lists the accepted values of typ. They are compared without regard to
	// case and to a leading "application/" (RFC 8725 section 3.11). The empty type
	// stands for a token without typ. If Types is empty, only at+jwt (RFC 9068) is
	// accepted.
	Types []string

	// UserClaim is the claim that holds the user's login. A token without it is a
	// client's own. If empty, UserClaim is "username". If it is "sub", a token whose
	// sub equals its client_id or azp is the client's own and has no user. Some
	// providers give a client's own token another sub, such as the ID of a service
	// account. It then counts as a user: choose a claim that only users have. Do not
	// use a claim that users can set themselves, such as "email".
	//
	// A token is AUTH-12 if it names neither a user in this claim nor a client in
	// client_id or azp, and no decorator adds one of them.
	UserClaim string

	// Leeway is the tolerance for the issuer's clock when exp, nbf and iat are
	// compared. It is from 0, the default, to one minute.
	Leeway time.Duration
}

// MaxLifetime is the longest time from iat to exp that a token may have.
const MaxLifetime = 366 * 24 * time.Hour

// JWT returns a validator of signed access tokens in the compact serialization (RFC
// 7519), such as those of RFC 9068. The validator is a [middleware.Source] if keys are one. With
// [StaticKeys] it needs neither a store nor the network:
//
//	keys, err := idp.StaticKeys(idp.Key{ID: "k1", Alg: "ES256", Public: public})
//	tokens, err := idp.JWT(keys, idp.JWTConfig{Issuer: "https://id.example.com", Audience: []string{"https://api.example.com"}})
//	http.ListenAndServe("127.0.0.1:8080", middleware.Bearer(tokens, nil)(mux))
//
// The key decides the algorithm, not the token. The base64url of a token must have no
// padding and no unused bits, and its JSON must have exact and unrepeated member
// names. The claims iss, aud, sub and exp are required, and in an at+jwt also iat,
// jti and client_id. A token is refused if it has critical extensions, or names its
// own key (jku, x5u, jwk, x5c).
//
// The client is the claim client_id, or azp if there is none. The scopes are the claim
// scope. [Open] reads those of other providers too.
//
// The first of these checks that fails decides the error code: the form of the token
// and its iss (AUTH-12), the key and the signature (AUTH-10), the type (AUTH-9), the
// presence and JSON types of the claims (AUTH-12), exp (AUTH-11), and the audience,
// nbf, iat and [MaxLifetime] (AUTH-12).
//
// The cause of a refusal ([errorsx.Error]) names the claim or header member, the
// expectation and the value found. It shows at most 64 bytes of the values of iss,
// aud, client_id, azp, typ, alg and kid. Of all others it shows only the JSON kind.
//
// JWT returns an error that names every fault: if keys is nil, and if a field of cfg is
// missing or invalid.
func JWT(keys Keys, cfg JWTConfig) (middleware.Validator, error) {
	v, err := newJWT(keys, cfg)
	if err != nil {
		return nil, fmt.Errorf("idp: JWT: %w", err)
	}

	// Only a Source reports changes, so only then does the validator become one.
	if source, ok := keys.(middleware.Source); ok {
		return &liveJWT{v, source}, nil
	}
	return v, nil
}

func newJWT(keys Keys, cfg JWTConfig) (*jwtValidator, error) {
	var errs []error
	if wiring.IsNil(keys) {
		errs = append(errs, errors.New("nil Keys"))
	}
	if r, ok := keys.(*RemoteKeys); ok && r != nil && r.state.Load() == nil {
		errs = append(errs, errors.New("the Keys are RemoteKeys that OpenRemoteKeys has not made"))
	}
	if strings.ContainsAny(cfg.Issuer, "{}") {
		errs = append(errs, fmt.Errorf("the Issuer %q is a template, and iss is compared with it as it is: expected one issuer's URL", cfg.Issuer))
	}
	if len(cfg.Audience) == 0 {
		errs = append(errs, errors.New("no Audience"))
	}
	for _, t := range cfg.Types {
		if strings.ContainsFunc(t, unicode.IsSpace) {
			errs = append(errs, fmt.Errorf("the Types have %q, which holds a blank", t))
		}
	}
	errs = append(errs, checkTrust(cfg.Issuer, cfg.Audience, cfg.UserClaim, cfg.Leeway))

	if err := errors.Join(errs...); err != nil {
		return nil, err
	}

	if len(cfg.Types) == 0 {
		cfg.Types = []string{"at+jwt"}
	}
	if cfg.UserClaim == "" {
		cfg.UserClaim = "username"
	}

	v := &jwtValidator{keys: keys, cfg: cfg}
	v.static, _ = keys.(staticKeys)
	v.remote, _ = keys.(*RemoteKeys)
	v.local, _ = keys.(OfflineKeys)

	for _, t := range cfg.Types {
		v.types = append(v.types, mediaType(t))
	}
	return v, nil
}

// checkTrust returns an error that names every fault of the fields that [JWTConfig] and
// [IntrospectionConfig] share. A name with blanks around it, as from a file's line,
// would match no token.
func checkTrust(issuer string, audience []string, userClaim string, leeway time.Duration) error {
	var errs []error
	switch {
	case issuer == "":
		errs = append(errs, errors.New("no Issuer"))
	case strings.TrimSpace(issuer) != issuer:
		errs = append(errs, fmt.Errorf("the Issuer %q has blanks around it", issuer))
	}
	for _, a := range audience {
		if a == "" || strings.ContainsFunc(a, unicode.IsSpace) {
			errs = append(errs, fmt.Errorf("the Audience has %q, expected names that are not empty and hold no blank", a))
		}
	}
	if slices.Contains([]string{"iss", "aud", "exp", "nbf", "iat", "jti"}, userClaim) {
		errs = append(errs, fmt.Errorf("UserClaim is %q, which names no user", userClaim))
	}
	if leeway < 0 || leeway > time.Minute {
		errs = append(errs, fmt.Errorf("the Leeway is %v, expected 0 to 1m", leeway))
	}
	return errors.Join(errs...)
}

type jwtValidator struct {
	keys   Keys
	static staticKeys  // keys, if they are of that type
	remote *RemoteKeys // keys, if they are of that type
	local  OfflineKeys // keys, if they implement it
	cfg    JWTConfig
	types  []string
	known  atomic.Pointer[knownHeader] // the header of the last token whose signature was right
}

// Offline implements [middleware.OfflineValidator]. It reports whether Validate makes
// no request: the keys are static, the token names none, or its key is known.
func (v *jwtValidator) Offline(c middleware.Credential) bool {
	return v.static != nil || v.local != nil && v.local.Knows(v.kid(c.Secret))
}

// kid returns the ID of the key that verify asks for, or "" if it asks for none.
func (v *jwtValidator) kid(secret string) string {
	head, _, _ := strings.Cut(secret, ".")
	t := &token{head: head}
	if known := v.known.Load(); known != nil && known.encoded == head {
		t.header = known.header
	} else if len(head) > syntax.MaxCredential || t.readHeader() != nil {
		return ""
	}
	kid, _, _ := t.header.key()
	return kid
}

// Validate implements [middleware.Validator].
func (v *jwtValidator) Validate(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
	t, err := readJWT(c, v.known.Load())
	if err != nil {
		return nil, err
	}
	return v.validate(ctx, c, t)
}

// readJWT parses a credential as a token.
func readJWT(c middleware.Credential, known *knownHeader) (*token, error) {
	if c.Scheme != middleware.SchemeBearer {
		return nil, errorsx.Fault(fmt.Errorf("idp: JWT: a credential of scheme %s", c.Scheme))
	}
	t, err := parseJWT(c.Secret, known)
	if err != nil {
		return nil, refused(errorsx.UnknownToken, err)
	}
	return t, nil
}

// refused returns the refusal of a token with that cause.
func refused(code errorsx.Code, cause error) error {
	return &errorsx.Error{Code: code, Err: cause}
}

func (v *jwtValidator) validate(ctx context.Context, c middleware.Credential, t *token) (*middleware.Identity, error) {
	// A key of this issuer must not verify a token of another one.
	if iss := &t.claims.Issuer; iss.s != v.cfg.Issuer {
		return nil, refused(errorsx.UnknownToken, iss.fault(inClaims, "iss", anyOf{v.cfg.Issuer}))
	}
	kid, err := v.verify(ctx, t)
	if err != nil {
		return nil, err
	}

	if !t.header.Typ.is(v.types) {
		return nil, refused(errorsx.WrongTokenType, t.header.Typ.fault("typ", anyOf(v.types)))
	}
	at, _ := t.header.Typ.text()
	if err := t.claims.check(mediaType(at) == "at+jwt"); err != nil {
		return nil, refused(errorsx.UnknownToken, err)
	}

	user, err := t.user(v.cfg.UserClaim)
	if err != nil {
		return nil, refused(errorsx.UnknownToken, err)
	}
	return v.judge(c.Now(), t, kid, user)
}

// verify checks the signature with a key of the token's own algorithm, and
// returns the key's ID.
func (v *jwtValidator) verify(ctx context.Context, t *token) (kid string, err error) {
	kid, alg, err := t.header.key()
	if err != nil {
		return "", refused(errorsx.BadSignature, err)
	}
	method := methods[alg]
	if method == nil {
		return "", refused(errorsx.BadSignature, t.header.Alg.fault("alg", anyAlg{}))
	}

	key, err := v.keys.Key(ctx, kid, alg)
	if errors.Is(err, ErrNoKey) {
		return "", refused(errorsx.BadSignature, t.header.badKey(knownKey(alg), err))
	}
	if err != nil {
		return "", err
	}

	// StaticKeys and RemoteKeys check their keys when they read them.
	if v.static == nil && v.remote == nil {
		if err := checkKey(alg, key); err != nil {
			return "", errorsx.Fault(fmt.Errorf("idp: JWT: key %q: %w", kid, err))
		}
	}

	if err := method.Verify(t.signed, t.signature, key); err != nil {
		return "", refused(errorsx.BadSignature, t.header.badKey(signingKey(alg), err))
	}

	// All headers of a signer are alike, so the next token likely has this one.
	if known := v.known.Load(); known == nil || known.header != t.header {
		v.known.Store(&knownHeader{strings.Clone(t.head), t.header})
	}
	return kid, nil
}
