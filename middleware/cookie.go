package middleware

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware/internal/syntax"
)

// checkPlaces returns an error that names every fault of the places of the token.
func (cfg *BearerConfig) checkPlaces() error {
	var errs []error
	if cfg.BareHeader != "" && cfg.Header != "" {
		errs = append(errs, errors.New("both Header and BareHeader are set, expected one of them"))
	}
	if http.CanonicalHeaderKey(cfg.BareHeader) == "Authorization" {
		errs = append(errs, errors.New("the BareHeader is Authorization, whose value begins with a scheme: expected another header"))
	}

	switch {
	case cfg.Cookie == "" && cfg.CrossOrigin != nil:
		errs = append(errs, errors.New("CrossOrigin is set, and no Cookie"))
	case cfg.Cookie == "":
	case cfg.CrossOrigin == nil:
		errs = append(errs, errors.New("a Cookie without CrossOrigin: another site could make requests with the user's cookie"))
	case cfg.QuerySafe != nil:
		errs = append(errs, errors.New("both Cookie and QuerySafe are set, expected one of them"))
	}
	if cfg.Cookie != "" && !validHeaderName(cfg.Cookie) {
		errs = append(errs, fmt.Errorf("the Cookie %q is not the name of a cookie", cfg.Cookie))
	}
	return errors.Join(errs...)
}

// fromCookieOf returns the token in the request's cookie.
func (b *bearer) fromCookieOf(r *http.Request) (string, error) {
	value, n := cookieNamed(r.Header["Cookie"], b.cfg.Cookie)
	switch {
	case !isCookie(value, n):
		return "", missingCookie(b.header, b.cfg.Cookie)
	case n > 1:
		return "", malformedCookie(b.cfg.Cookie, "more than one value")
	case len(value) > syntax.MaxCredential:
		return "", malformedCookie(b.cfg.Cookie, fmt.Sprintf("more than %d bytes", syntax.MaxCredential))
	case !syntax.Token68(value):
		// Package http takes off quotes. It drops a cookie with characters that none may
		// have, which must not count as missing.
		cookies := r.CookiesNamed(b.cfg.Cookie)
		if len(cookies) != 1 || !syntax.Token68(cookies[0].Value) {
			return "", malformedCookie(b.cfg.Cookie, "expected one token")
		}
		value = cookies[0].Value
	}
	return value, b.fromOwnSite(r)
}

// cookieNamed returns the text of the last cookie of that name in the Cookie headers, and
// the number of them.
func cookieNamed(lines []string, name string) (value string, n int) {
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			got, v, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
			if strings.Trim(got, " \t") == name {
				value, n = v, n+1
			}
		}
	}
	return value, n
}

// isCookie reports whether the result of cookieNamed is a credential. An empty cookie is
// none, because pages empty a cookie to remove it.
func isCookie(value string, n int) bool { return n > 1 || n == 1 && value != "" && value != `""` }

// fromOwnSite refuses a request that another site may have made.
func (b *bearer) fromOwnSite(r *http.Request) error {
	err := b.sameSite(r)
	if err == nil {
		return nil
	}
	return &errorsx.Error{
		Code: errorsx.CredentialsMalformed, Status: http.StatusForbidden, Err: err,
		Message: "Invalid \"" + b.cfg.Cookie + "\" cookie: the request comes from another site",
	}
}

// sameSite returns an error if another origin may have made the request. Browsers let any
// origin open a WebSocket with a GET. A request that upgrades the connection therefore
// needs an Origin that is the server's own or trusted.
func (b *bearer) sameSite(r *http.Request) error {
	if len(r.Header["Upgrade"]) == 0 && r.Method != http.MethodConnect {
		if r.Host == "" {
			// A request of HTTP/1.0 may lack the host, with which the Origin "null"
			// must not be compared.
			hostless := *r
			hostless.Host = "host.invalid"
			r = &hostless
		}
		return b.cfg.CrossOrigin.Check(r)
	}

	origin := r.Header["Origin"]
	if len(origin) != 1 || origin[0] == "" || r.Host == "" {
		return errors.New("a request that upgrades the connection, without one Origin")
	}
	asked := &http.Request{Method: http.MethodPost, URL: r.URL, Host: r.Host, Header: http.Header{"Origin": origin}}
	return b.cfg.CrossOrigin.Check(asked)
}

// missingCookie refuses a request that has neither the header nor the cookie.
func missingCookie(header, cookie string) error {
	return &errorsx.Error{
		Code: errorsx.CredentialsMissing, Message: `Missing "` + shown(header) + `" header or "` + cookie + `" cookie`,
	}
}

func malformedCookie(cookie, why string) error {
	return &errorsx.Error{Code: errorsx.CredentialsMalformed, Message: `Invalid "` + cookie + `" cookie: ` + why}
}
