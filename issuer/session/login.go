package session

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer/internal/form"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// Handler serves {Base}/login and {Base}/logout.
//
// Login takes credentials, in this order, from Basic in the configured header
// or in Authorization, from a form in the body, and if allowed from the query. A
// header that is there decides. The answer is the token as text, JSON (_json or
// _output=json, or by Accept), as of an OAuth 2.0 token endpoint (_oauth2 or
// _output=oauth2, over TLS), or a redirect (redirect_uri), together with the
// cookie. A refusal challenges with Basic. If the request has the header
// Sec-Fetch-Dest: empty, which browsers set for scripts, it challenges with Bearer.
//
// v validates the token of a logout, as in [Sessions.Bearer]. Handler panics like
// Bearer.
func (s *Sessions) Handler(v middleware.Validator) http.Handler {
	const what = "session: the store"
	mux := http.NewServeMux()
	mux.Handle(s.cfg.Base+"/login", form.Refusing(what, s.refuseLogin, s.login))
	logout := s.Bearer(v)(form.Refusing(what, s.refuse, s.logout))
	mux.Handle("GET "+s.cfg.Base+"/logout", logout)
	mux.Handle("POST "+s.cfg.Base+"/logout", logout)
	return errorsx.Mux(mux, s.cfg.Errors)
}

// refuse challenges for a token, as the routes other than login do.
func (s *Sessions) refuse(w http.ResponseWriter, r *http.Request, err error) {
	s.cfg.Errors.Resource(w, r, errorsx.SchemeBearer, err)
}

// refuseLogin challenges for login and password.
func (s *Sessions) refuseLogin(w http.ResponseWriter, r *http.Request, err error) {
	if r.Header.Get("Sec-Fetch-Dest") != "empty" {
		s.cfg.Errors.Resource(w, r, errorsx.SchemeBasic, err)
		return
	}

	// A script in a browser's page asks. A Basic challenge would open the browser's
	// own password dialog. The script sent no token, so that this challenge tells
	// of no error (RFC 6750 section 3.1).
	if e := errorsx.From(err); !e.Code.Ours() {
		bare := *e
		bare.NoError = true
		err = &bare
	}
	s.refuse(w, r, err)
}

func (s *Sessions) login(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		return errorsx.MethodNotAllowed("GET, POST")
	}
	in, err := s.readLogin(w, r)
	if err != nil {
		return err
	}
	c, err := s.credential(r, in)
	if err != nil {
		return err
	}
	u, err := s.issuer.AuthenticateUser(r.Context(), c.WithRequest(r))
	if err != nil {
		return err
	}
	token, cookie, err := s.open(r.Context(), u)
	if err != nil {
		return err
	}
	http.SetCookie(w, s.cookie(r, cookie))
	w.Header().Add("Vary", s.cfg.Header)
	form.NoStore(w.Header())
	s.answer(w, r, in, u, token, cookie)
	return nil
}

// credential returns login and password from the first place that has them.
func (s *Sessions) credential(r *http.Request, in *loginInput) (middleware.Credential, error) {
	for _, header := range s.headers() {
		c, err := middleware.ReadBasic(r, header)
		if !errors.Is(err, errorsx.CredentialsMissing) {
			return c, err
		}
	}
	for _, place := range in.places {
		c := middleware.Credential{Scheme: errorsx.SchemeBasic, Username: place.Get("username"), Secret: place.Get("password")}
		switch {
		case c.Username != "" && c.Secret != "":
			return c, nil
		case c.Username != "" || c.Secret != "":
			return c, errorsx.CredentialsIncorrect
		}
	}
	return middleware.Credential{}, errorsx.CredentialsMissing
}

func (s *Sessions) answer(w http.ResponseWriter, r *http.Request, in *loginInput, u *store.User, token, cookie string) {
	h := w.Header()
	switch in.output {
	case asRedirect:
		q := in.target.Query()
		q.Set("access_token", token)
		in.target.RawQuery = q.Encode()
		h.Set("Location", in.target.String())
		h.Set("Referrer-Policy", "no-referrer")
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusSeeOther)
		} else {
			w.WriteHeader(http.StatusFound)
		}
	case asOAuth2:
		form.WriteJSON(w, http.StatusOK, struct {
			Token     string  `json:"access_token"`
			Type      string  `json:"token_type"`
			ExpiresIn int64   `json:"expires_in"`
			Scope     *string `json:"scope"`
		}{Token: token, Type: "bearer", ExpiresIn: int64(s.cfg.Timeout.Seconds())})
	case asJSON:
		form.WriteJSON(w, http.StatusOK, struct {
			Token  string `json:"authtoken"`
			Cookie string `json:"sessionid"`
			Login  string `json:"login"`
			First  string `json:"firstname"`
			Last   string `json:"lastname"`
			Lang   string `json:"lang"`
		}{token, cookie, u.Login, u.First, u.Last, u.Lang})
	default:
		h.Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, token)
	}
}

// cookie is the session cookie. The server alone times it, so that it has
// neither Max-Age nor Expires.
func (s *Sessions) cookie(r *http.Request, value string) *http.Cookie {
	c := &http.Cookie{
		Name: s.cfg.Cookie, Value: value, Path: s.cfg.Base,
		HttpOnly: true, Secure: middleware.OverTLS(r), SameSite: http.SameSiteLaxMode,
	}
	if strings.HasPrefix(c.Name, "__Host-") {
		c.Path = "/" // browsers take such a cookie with no other
	}
	return c
}

// logout ends the session that the request belongs to, also where its sender has
// gone.
func (s *Sessions) logout(w http.ResponseWriter, r *http.Request) error {
	id, _ := middleware.IdentityFromContext(r.Context())
	if err := s.end(context.WithoutCancel(r.Context()), id.TokenID); err != nil {
		return err
	}
	c := s.cookie(r, "")
	c.MaxAge = -1
	http.SetCookie(w, c)
	form.NoStore(w.Header())
	w.WriteHeader(http.StatusNoContent)
	return nil
}
