package session

import (
	"crypto/subtle"
	"net/http"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// Bearer lets a request through only with a session's token in the configured
// header and, unless AllowWithoutCookie, the cookie of the same session. An
// accepted request renews the session. Authorization is not read.
func (m *Manager) Bearer() middleware.Wrapper {
	return middleware.Chain(inDialect, middleware.Bearer(m.validator, &middleware.BearerConfig{
		Header: m.cfg.Header, RequireUser: true, Confirm: m.confirm, Vary: "Cookie",
	}))
}

// inDialect makes [Dialect] that of everything inside, unless the nearest writer
// outside has one.
func inDialect(next http.Handler) http.Handler {
	alone := middleware.Errors(&errorsx.Writer{Dialect: Dialect})(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		around, _ := r.Context().Value(errorsx.SurroundingsKey{}).(errorsx.Surroundings)
		if around == nil || around.Writer() == nil {
			alone.ServeHTTP(w, r)
			return
		}
		if around.Writer().Dialect != nil {
			next.ServeHTTP(w, r)
			return
		}
		writer := *around.Writer()
		writer.Dialect = Dialect
		middleware.Errors(&writer)(next).ServeHTTP(w, r)
	})
}

// confirm checks the cookie and renews the session. A browser may send several
// cookies of one name, as other sites of the domain please: one must fit.
func (m *Manager) confirm(r *http.Request, id middleware.Identity) error {
	fits := m.cfg.AllowWithoutCookie
	for _, c := range r.CookiesNamed(m.cfg.Cookie) {
		d := m.digest(c.Value)
		fits = fits || subtle.ConstantTimeCompare(d[:], []byte(id.Confirmation())) == 1
	}
	if !fits {
		return &errorsx.Error{
			Code: errorsx.CredentialsIncorrect, Message: "The token needs the cookie of its own session",
		}
	}
	return m.renew(r.Context(), id.TokenID)
}
