package middleware

import (
	"net/http"

	"github.com/authtier/authtier/errorsx"
)

// BasicConfig configures [Basic]. The zero value is ready to use.
type BasicConfig struct {
	// Header is read instead of Authorization, with the same syntax.
	Header string

	// AllowOtherClient lets the credentials belong to another client than the
	// other credentials of the request, of the same issuer.
	AllowOtherClient bool

	// Errors answers refused requests. If nil, a zero [errorsx.Writer] does.
	Errors *errorsx.Writer
}

// Basic lets a request through only with valid Basic credentials (RFC 7617):
// one header value, padded base64 in its one spelling, UTF-8 without control
// characters, split at the first colon. It panics if v is nil.
func Basic(v Validator, cfg BasicConfig) Wrapper {
	if v == nil {
		panic("middleware: Basic: nil Validator")
	}
	header := headerName("Basic", cfg.Header, "Authorization")
	from := headerSource(header)
	g := &guard{
		name:        "Basic",
		validator:   v,
		scheme:      errorsx.SchemeBasic,
		errors:      cfg.Errors,
		otherClient: cfg.AllowOtherClient,
		read: func(r *http.Request) (Credential, *source, error) {
			c, err := readBasic(r.Header, header)
			return c, from, err
		},
	}
	return g.wrapper()
}

// ReadBasic returns the Basic credential in the header of that name, for
// handlers that authenticate clients or users themselves. Its errors are
// refusals: the header is missing (AUTH-2) or malformed (AUTH-3), or user-id or
// password is empty (AUTH-1).
func ReadBasic(h http.Header, name string) (Credential, error) {
	return readBasic(h, http.CanonicalHeaderKey(name))
}

func readBasic(h http.Header, name string) (Credential, error) {
	value, err := one(h, name)
	if err != nil {
		return Credential{}, err
	}
	user, password, err := basicUserPass(name, value)
	if err != nil {
		return Credential{}, err
	}
	if user == "" || password == "" {
		return Credential{}, errorsx.CredentialsIncorrect
	}
	return Credential{Scheme: errorsx.SchemeBasic, Username: user, Secret: password}, nil
}
