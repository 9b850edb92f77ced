package session

import (
	"crypto/subtle"
	"net/http"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// Bearer lets a request through only with a session's token in the configured header
// and the cookie of the same session. With AllowWithoutCookie, the token is enough. An
// accepted request renews the session. The Authorization header is not read.
func (m *Manager) Bearer() middleware.Wrapper {
	m.mustExist("Bearer")
	return middleware.Chain(inDialect, middleware.Bearer(m.validator, &middleware.BearerConfig{
		Header: m.cfg.Header, RequireUser: true, Confirm: m.confirm, Vary: "Cookie",
	}))
}

// inDialect makes [Dialect] the dialect of next, unless the nearest enclosing writer
// has a dialect of its own.
func inDialect(next http.Handler) http.Handler {
	alone := middleware.Errors(&errorsx.Writer{Dialect: Dialect})(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		around, _ := r.Context().Value(errorsx.SurroundingsKey{}).(errorsx.Surroundings)
		if around == nil || around.Writer() == nil {
			alone.ServeHTTP(w, r)
			return
		}

		// The program has chosen a dialect, which wins.
		if around.Writer().Dialect != nil {
			next.ServeHTTP(w, r)
			return
		}

		// The outer writer is shared with other handlers, so a copy gets the dialect.
		writer := *around.Writer()
		writer.Dialect = Dialect
		middleware.Errors(&writer)(next).ServeHTTP(w, r)
	})
}

// confirm checks the cookie and renews the session. A browser may send several cookies
// of the same name, because other sites of the domain can set them. One of them must
// match.
func (m *Manager) confirm(r *http.Request, id middleware.Identity) error {
	fits := m.cfg.AllowWithoutCookie
	for _, c := range r.CookiesNamed(m.cfg.Cookie) {
		d := m.digest(c.Value)
		fits = fits || subtle.ConstantTimeCompare(d[:], []byte(id.Details().Confirmation)) == 1
	}
	if !fits {
		return &errorsx.Error{
			Code: errorsx.CredentialsIncorrect, Message: "The token needs the cookie of its own session",
		}
	}
	return m.renew(r.Context(), id.TokenID)
}
