package session

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer/internal/form"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// Register adds {Base}/login and {Base}/logout to mux, and no other path. Each path is
// registered once for each method, so that it does not conflict with a pattern of the
// program such as "GET /". A wrong method is refused with AUTH-6 and status 405.
//
// Login reads credentials from Basic in the configured header, then from Basic in
// Authorization, and then from a form in the body. If AllowQueryCredentials is set, it
// reads the query last. A header that is present decides, even if it is invalid.
//
// Login answers with the token and sets the cookie. The answer is plain text by
// default. It is JSON if _json=true, _output=json or Accept asks for that. It is an
// OAuth 2.0 token response for _oauth2=true or _output=oauth2, over TLS only. With
// redirect_uri it is a redirect.
//
// A refusal challenges with Basic. If the request has the header Sec-Fetch-Dest: empty,
// which browsers set for scripts, it challenges with Bearer.
//
// Register panics if mux is nil.
func (m *Manager) Register(mux *http.ServeMux) {
	m.mustExist("Register")
	if mux == nil {
		panic("session: Register: nil ServeMux")
	}
	const what = "session: the store"
	login := inDialect(form.Refusing(what, refuseLogin, m.login))
	logout := m.Bearer()(form.Refusing(what, refuse, m.logout))
	form.Register(mux, m.cfg.Base+"/login", login)
	form.Register(mux, m.cfg.Base+"/logout", logout, http.MethodGet, http.MethodPost)
}

// refuse challenges for a token, as all routes but login do.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	var inherited *errorsx.Writer
	inherited.Refuse(w, r, string(middleware.SchemeBearer), err)
}

// refuseLogin challenges for login and password.
func refuseLogin(w http.ResponseWriter, r *http.Request, err error) {
	if r.Header.Get("Sec-Fetch-Dest") != "empty" {
		var inherited *errorsx.Writer
		inherited.Refuse(w, r, string(middleware.SchemeBasic), err)
		return
	}

	// A script in a browser sent the request. A Basic challenge would open the
	// browser's own password dialog. The script sent no token, so the Bearer challenge
	// names no error (RFC 6750 section 3.1).
	if e := errorsx.From(err); !e.Code.IsServerError() {
		bare := *e
		bare.BareChallenge = true
		err = &bare
	}
	refuse(w, r, err)
}

func (m *Manager) login(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		return errorsx.MethodNotAllowed("GET, POST")
	}

	in, err := m.readLogin(w, r)
	if err != nil {
		return err
	}
	c, err := m.credential(r, in)
	if err != nil {
		return err
	}

	u, err := m.issuer.AuthenticateUser(r.Context(), c.WithRequest(r))
	if err != nil {
		return err
	}
	token, cookie, err := m.open(r.Context(), u)
	if err != nil {
		return err
	}

	http.SetCookie(w, m.cookie(r, cookie))
	w.Header().Add("Vary", m.cfg.Header)
	form.NoStore(w.Header())
	m.answer(w, r, in, u, token, cookie)
	return nil
}

// credential returns login and password from the first place that has them.
func (m *Manager) credential(r *http.Request, in *loginInput) (middleware.Credential, error) {
	for _, header := range m.headers() {
		c, err := middleware.ReadBasic(r, header)
		if !errors.Is(err, errorsx.CredentialsMissing) {
			return c, err
		}
	}

	for _, place := range in.places {
		c := middleware.Credential{Scheme: middleware.SchemeBasic, Username: place.Get("username"), Secret: place.Get("password")}
		switch {
		case c.Username != "" && c.Secret != "":
			return c, nil
		// Half a credential decides too, so that no later place is read in its stead.
		case c.Username != "" || c.Secret != "":
			return c, errorsx.CredentialsIncorrect
		}
	}
	return middleware.Credential{}, errorsx.CredentialsMissing
}

func (m *Manager) answer(w http.ResponseWriter, r *http.Request, in *loginInput, u *store.User, token, cookie string) {
	h := w.Header()
	switch in.output {
	case asRedirect:
		q := in.target.Query()
		q.Set("access_token", token)
		in.target.RawQuery = q.Encode()
		h.Set("Location", in.target.String())
		h.Set("Referrer-Policy", "no-referrer")
		// After 303, a browser follows a POST with GET, and does not send the password
		// on.
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
		}{Token: token, Type: "bearer", ExpiresIn: int64(m.cfg.Timeout.Seconds())})
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

// cookie returns the session cookie. It has neither Max-Age nor Expires, because only
// the server decides when the session ends.
func (m *Manager) cookie(r *http.Request, value string) *http.Cookie {
	c := &http.Cookie{
		Name: m.cfg.Cookie, Value: value, Path: m.cfg.Base,
		HttpOnly: true, Secure: middleware.OverTLS(r), SameSite: http.SameSiteLaxMode,
	}
	if strings.HasPrefix(c.Name, "__Host-") {
		c.Path = "/" // browsers accept the prefix only with this path
	}
	return c
}

// logout ends the session of the request, even if the connection is gone.
func (m *Manager) logout(w http.ResponseWriter, r *http.Request) error {
	id, _ := middleware.IdentityFromContext(r.Context())
	if err := m.end(r.Context(), id.TokenID); err != nil {
		return err
	}

	// A negative MaxAge makes the browser delete the cookie.
	c := m.cookie(r, "")
	c.MaxAge = -1
	http.SetCookie(w, c)
	form.NoStore(w.Header())
	w.WriteHeader(http.StatusNoContent)
	return nil
}
