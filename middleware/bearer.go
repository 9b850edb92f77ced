package middleware

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware/internal/syntax"
)

// BearerConfig configures [Bearer]. The zero value is ready to use.
type BearerConfig struct {
	// Header is read instead of Authorization, with the same syntax (RFC 6750 section
	// 2.1). If empty, it is Authorization.
	Header string

	// BareHeader is a header whose whole value is the token, without a scheme, such as
	// the one that a proxy in front of the server adds. It is read instead of Header and
	// must not be Authorization.
	BareHeader string

	// Cookie is the name of a cookie that holds the token of a request without the
	// header. Browsers send cookies with requests that another site has made, so
	// CrossOrigin must be set too. It cannot be combined with QuerySafe.
	Cookie string

	// CrossOrigin refuses requests whose token is in the cookie and that another site may
	// have made: AUTH-3 with status 403. Requests by safe methods pass. A request that
	// upgrades the connection passes only if its Origin is the server's own or one that
	// CrossOrigin trusts.
	CrossOrigin *http.CrossOriginProtection

	// Audience, if not empty, must be one of the token's audiences, in addition to
	// the validator's own checks. It is one audience and must not contain a space.
	Audience string

	// QuerySafe, if not nil, lets GET and HEAD requests carry the token as
	// ?access_token= (RFC 6750 section 2.3). It lists the scopes that may be exposed
	// there, because URLs end up in logs and browser histories. A token from the
	// query is refused if it has any other scope or no scope. QuerySafe must be nil
	// or have at least one scope.
	QuerySafe []string

	// MaxTokenBytes is the largest size of the header's value, in bytes. A larger one is
	// AUTH-3. If 0, it is 8 KiB; at most 64 KiB. Some providers put all groups of a user
	// into a token. A token in the query never has more than 8 KiB.
	MaxTokenBytes int

	// RequireUser refuses a token that names no user, such as a client's own, with
	// AUTH-9. It cannot be combined with AllowAnonymous.
	RequireUser bool

	// AllowOtherClient lets the token belong to another client than the request's
	// other credentials. Both must still be of the same issuer.
	AllowOtherClient bool

	// Confirm, if not nil, checks something that must accompany the token in the
	// request, such as a session's cookie. It runs last, on every request that is
	// otherwise accepted, and concurrently. Its errors mean the same as those of
	// [Validator].
	Confirm func(r *http.Request, id Identity) error

	// ConfirmKey, if not nil, decides whether the request proves that its client has the
	// key to which the token is bound: the claim cnf (RFC 7800), as for DPoP (RFC 9449) or
	// mutual TLS (RFC 8705). It is called for bound tokens only. Without it, they are
	// AUTH-12. It runs concurrently, and its errors mean the same as those of [Validator].
	//
	// ConfirmKey is for bound tokens that come with the scheme Bearer. The scheme DPoP of
	// RFC 9449 is not read: a token that comes with it is AUTH-3.
	ConfirmKey func(r *http.Request, id Identity) error

	// Vary names the header that Confirm reads. If it is set, answers vary by that
	// header and are private. It cannot be set without Confirm.
	Vary string

	// AllowAnonymous admits a request without a token and proves no identity for it.
	// An identity that an outer wrapper has proven stays. A token that is present is
	// validated as usual. An inner [Scope] refuses an anonymous request with AUTH-2,
	// and [Usage] does not count it.
	AllowAnonymous bool
}

// Bearer admits a request only with a valid access token in its Authorization header
// (RFC 6750 section 2.1). cfg may be nil.
//
// Bearer panics if v is nil or contains a nil Validator, if v has no validator for
// tokens ([ByScheme]), and if a field of cfg is invalid or contradicts another one.
//
// Answers to tokens from another header or the query are private, unless the handler
// sets another Cache-Control. Shared caches protect answers to Authorization, but to
// no other header.
func Bearer(v Validator, cfg *BearerConfig) Wrapper {
	if cfg == nil {
		cfg = &BearerConfig{}
	}
	return wrapperOf(v, cfg)
}

// maxTokenBytes is the largest MaxTokenBytes.
const maxTokenBytes = 64 << 10

// check returns an error that names every fault of cfg but those of its headers.
func (cfg *BearerConfig) check() error {
	var errs []error
	if cfg.QuerySafe != nil && len(cfg.QuerySafe) == 0 {
		errs = append(errs, errors.New("QuerySafe is empty, so that no token in the query could be accepted: expected nil or scopes"))
	}
	for _, scope := range cfg.QuerySafe {
		if !validScope(scope) {
			errs = append(errs, fmt.Errorf("QuerySafe: %q is not a scope", scope))
		}
	}
	if cfg.AllowAnonymous && cfg.RequireUser {
		errs = append(errs, errors.New("RequireUser and AllowAnonymous contradict each other"))
	}
	if strings.ContainsFunc(cfg.Audience, unicode.IsSpace) {
		errs = append(errs, fmt.Errorf("the Audience is one audience, and %q holds a blank", cfg.Audience))
	}
	if n := cfg.MaxTokenBytes; n != 0 && (n < syntax.MaxCredential || n > maxTokenBytes) {
		errs = append(errs, fmt.Errorf("the number of MaxTokenBytes is %d, expected %d to %d", n, syntax.MaxCredential, maxTokenBytes))
	}
	errs = append(errs, cfg.checkPlaces())
	if cfg.Vary != "" && cfg.Confirm == nil {
		errs = append(errs, errors.New("the Vary names the header that Confirm reads, and Confirm is nil"))
	}
	return errors.Join(errs...)
}

// guard implements [Way].
func (cfg BearerConfig) guard(v Validator) (*guard, error) {
	header, err := headerName("Header", cfg.Header, "Authorization")
	if cfg.BareHeader != "" {
		header, err = headerName("BareHeader", cfg.BareHeader, "")
	}
	errs := []error{err, cfg.check()}
	b := &bearer{header: header, cfg: cfg, most: cmp.Or(cfg.MaxTokenBytes, syntax.MaxCredential), querySafe: Scopes(strings.Join(cfg.QuerySafe, " "))}

	b.fromHeader = headerLocation(b.header)
	b.fromCookie = &location{cookie: true, private: true, vary: []string{shown(b.header), "Cookie"}}
	if cfg.Vary != "" {
		vary, err := headerName("Vary", cfg.Vary, "")
		errs = append(errs, err)
		b.fromHeader.vary = append(b.fromHeader.vary, vary)
		b.fromHeader.private = true
	}

	// Without a token in the query, the header decides. So the answer to a token from
	// the query varies by the header too.
	b.fromQuery = &location{query: true, private: true, vary: append([]string{b.header}, b.fromHeader.vary...)}
	if b.header != "Authorization" {
		// headerLocation lists every header but Authorization already.
		b.fromQuery.vary = b.fromHeader.vary
	}

	g := &guard{
		name:        "Bearer",
		header:      b.header,
		expected:    "expected one token after the scheme Bearer",
		validator:   v,
		scheme:      SchemeBearer,
		onWire:      string(SchemeBearer),
		bare:        cfg.BareHeader != "",
		cookie:      cfg.Cookie,
		otherClient: cfg.AllowOtherClient,
		from:        b.fromHeader,
		read:        b.read,
		check:       b.check,
		confirm:     cfg.Confirm,
		confirmKey:  cfg.ConfirmKey,
	}

	if cfg.QuerySafe != nil {
		g.safe = b.safe
	}
	if cfg.Cookie != "" {
		g.from.vary = appendNew(g.from.vary, "Cookie")
		g.from.private = true
	}
	if cfg.AllowAnonymous {
		g.allowAnonymous()
	}
	// The guard is returned even with an error, because OneOf names it in the message.
	return g, errors.Join(errs...)
}

type bearer struct {
	header                string
	cfg                   BearerConfig
	querySafe             Scopes
	most                  int // bytes of the header's value
	fromHeader, fromQuery *location
	fromCookie            *location
}

func (b *bearer) read(r *http.Request) (username, token string, from *location, err error) {
	if v := r.Header[b.header]; b.cfg.Cookie != "" && (len(v) == 0 || len(v) == 1 && v[0] == "") {
		token, err := b.fromCookieOf(r)
		return "", token, b.fromCookie, err
	}

	value, err := b.value(r.Header)
	if b.cfg.QuerySafe != nil && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		token, qerr := queryToken(r.URL.RawQuery)
		switch {
		case qerr != nil:
			return "", "", nil, qerr
		// RFC 6750 section 2 forbids to send the token in more than one way.
		case token != "" && !errors.Is(err, errorsx.CredentialsMissing):
			return "", "", nil, malformed(b.header, "a token in the query too")
		case token != "":
			return "", token, b.fromQuery, nil
		}
	}

	switch {
	case err == nil && b.cfg.BareHeader != "":
		token = value
	case err == nil:
		token, err = afterScheme(b.header, value, "Bearer")
	}
	return "", token, b.fromHeader, err
}

// value returns the value of the header. The cause of the refusal of a larger one names
// the setting, since the provider decides how large its tokens are.
func (b *bearer) value(h http.Header) (string, error) {
	value, err := one(h, b.header, b.most)
	if e, ok := errors.AsType[*errorsx.Error](err); ok && len(h[b.header]) == 1 && len(h[b.header][0]) > b.most {
		e.Err = fmt.Errorf("the header has %d bytes (see BearerConfig.MaxTokenBytes)", len(h[b.header][0]))
	}
	return value, err
}

func (b *bearer) check(id *Identity) error {
	switch {
	case b.cfg.Audience != "" && !id.Audience.Has(b.cfg.Audience):
		return &errorsx.Error{
			Code: errorsx.UnknownToken, Client: id.Client,
			Err: &wrongAudience{b.cfg.Audience, id.Audience},
		}
	case b.cfg.RequireUser && id.User == "":
		return &errorsx.Error{
			Code: errorsx.WrongTokenType, Client: id.Client, Message: "Expected a token of a user",
			Err: errors.New("the route requires a user, and the token is a client's own"),
		}
	}
	return nil
}

// safe refuses an identity from the query unless all of its scopes may be
// exposed there.
func (b *bearer) safe(id *Identity) error {
	safe := id.Scopes != ""
	for scope := range strings.FieldsSeq(string(id.Scopes)) {
		safe = safe && b.querySafe.Has(scope)
	}
	if !safe {
		return &errorsx.Error{
			Code: errorsx.ScopeNotAuthorized, Client: id.Client, Scope: string(b.querySafe),
			Message: "A token with these scopes is not accepted in the query",
		}
	}
	return nil
}

// wrongAudience is the cause of the refusal of a token for another recipient. Its text
// is made only when Error is called.
type wrongAudience struct {
	want  string
	found Audience
}

// Error shows at most the first 64 bytes of the token's audience.
func (e *wrongAudience) Error() string {
	found := string(e.found)
	if len(found) > 64 {
		found = found[:64]
	}
	return fmt.Sprintf("claim \"aud\": expected %q, found %q", e.want, found)
}
