package session

import (
	"crypto/subtle"
	"net/http"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// Bearer lets a request through only with a session's token in the configured
// header and, unless AllowWithoutCookie, the cookie of the same session. An
// accepted request renews the session. Authorization is not read. V is the
// Sessions themselves, or a validator in front of them.
func (s *Sessions) Bearer(v middleware.Validator) middleware.Wrapper {
	return middleware.Bearer(v, middleware.BearerConfig{
		Header: s.cfg.Header, RequireUser: true, Confirm: s.confirm, Vary: "Cookie", Errors: s.cfg.Errors,
	})
}

// confirm checks the cookie and renews the session. A browser may send several
// cookies of one name, as other sites of the domain please: one must fit.
func (s *Sessions) confirm(r *http.Request, id middleware.Identity) error {
	fits := s.cfg.AllowWithoutCookie
	for _, c := range r.CookiesNamed(s.cfg.Cookie) {
		d := store.DigestOf(c.Value)
		fits = fits || subtle.ConstantTimeCompare(d[:], []byte(id.Confirmation())) == 1
	}
	if !fits {
		return &errorsx.Error{
			Code: errorsx.CredentialsIncorrect, Message: "The token needs the cookie of its own session",
		}
	}
	return s.renew(r.Context(), id.TokenID)
}
