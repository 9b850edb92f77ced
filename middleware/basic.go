package middleware

import (
	"net/http"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware/internal/syntax"
)

// BasicConfig configures [Basic]. The zero value is ready to use.
type BasicConfig struct {
	// Header is read instead of Authorization, with the same syntax. If empty, it is
	// Authorization.
	Header string

	// AllowOtherClient lets the credentials belong to another client than the
	// request's other credentials. Both must still be of the same issuer.
	AllowOtherClient bool

	// AllowAnonymous admits a request without credentials and proves no identity for
	// it. An identity that an outer wrapper has proven stays. Credentials that are
	// present are validated as usual. An inner [Scope] refuses an anonymous request
	// with AUTH-2, and [Usage] does not count it.
	AllowAnonymous bool
}

// Basic admits a request only with valid Basic credentials (RFC 7617). The header
// must have one value, in padded base64 with unused bits zero. The decoded text must
// be UTF-8 without control characters and is split at the first colon. cfg may be
// nil.
//
// Basic panics if v is nil or contains a nil Validator, if v has no validator for
// Basic ([ByScheme]), and if Header is not a header's name.
func Basic(v Validator, cfg *BasicConfig) Wrapper {
	if cfg == nil {
		cfg = &BasicConfig{}
	}
	return wrapperOf(v, cfg)
}

// guard implements [Way].
func (cfg BasicConfig) guard(v Validator) (*guard, error) {
	header, err := headerName("Header", cfg.Header, "Authorization")

	from := headerLocation(header)
	g := &guard{
		name:        "Basic",
		header:      header,
		validator:   v,
		scheme:      SchemeBasic,
		onWire:      string(SchemeBasic),
		otherClient: cfg.AllowOtherClient,
		from:        from,
		read: func(r *http.Request) (string, string, *location, error) {
			user, password, err := readBasic(r.Header, header)
			return user, password, from, err
		},
	}

	if cfg.AllowAnonymous {
		g.allowAnonymous()
	}
	return g, err
}

// ReadBasic returns the Basic credential in the header of r that name names. It is
// for handlers that authenticate clients or users themselves. Its errors are
// refusals: the header is missing (AUTH-2) or malformed (AUTH-3), or the user-id or
// the password is empty (AUTH-1).
func ReadBasic(r *http.Request, name string) (Credential, error) {
	user, password, err := readBasic(r.Header, http.CanonicalHeaderKey(name))
	if err != nil {
		return Credential{}, err
	}
	return Credential{Scheme: SchemeBasic, Username: user, Secret: password, request: r}, nil
}

func readBasic(h http.Header, name string) (user, password string, err error) {
	value, err := one(h, name, syntax.MaxCredential)
	if err != nil {
		return "", "", err
	}
	user, password, err = basicUserPass(name, value)
	if err == nil && (user == "" || password == "") {
		err = errorsx.CredentialsIncorrect
	}
	return user, password, err
}
