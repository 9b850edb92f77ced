package session

import (
	"crypto/subtle"
	"fmt"
	"net/http"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// Bearer lets a request through only with a session's token in the configured
// header and, unless AllowWithoutCookie, the cookie of the same session. An
// accepted request renews the session. Authorization is not read.
//
// v is the Sessions themselves, or a validator that wraps them. Bearer panics if it
// is another one, because identities of others prove no session.
func (s *Sessions) Bearer(v middleware.Validator) middleware.Wrapper {
	if !middleware.Wraps(v, s) {
		panic(fmt.Sprintf("session: Bearer: a %T that does not wrap these Sessions", v))
	}
	return middleware.Chain(middleware.Errors(s.cfg.Errors), middleware.Bearer(v, &middleware.BearerConfig{
		Header: s.cfg.Header, RequireUser: true, Confirm: s.confirm, Vary: "Cookie"}))

}

// confirm checks the cookie and renews the session. A browser may send several
// cookies of one name, as other sites of the domain please: one must fit.
func (s *Sessions) confirm(r *http.Request, id middleware.Identity) error {
	fits := s.cfg.AllowWithoutCookie
	for _, c := range r.CookiesNamed(s.cfg.Cookie) {
		d := s.digest(c.Value)
		fits = fits || subtle.ConstantTimeCompare(d[:], []byte(id.Confirmation())) == 1
	}
	if !fits {
		return &errorsx.Error{
			Code: errorsx.CredentialsIncorrect, Message: "The token needs the cookie of its own session",
		}
	}
	return s.renew(r.Context(), id.TokenID)
}
