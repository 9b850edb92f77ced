package idp

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// payload holds the claims that a token may have (RFC 7519 section 4.1, RFC 9068
// section 2.2). A claim of a wrong JSON type is not a parse error. It is judged later,
// after the signature has been checked.
type payload struct {
	Issuer    textClaim     `json:"iss"`
	Subject   textClaim     `json:"sub"`
	Audience  audienceClaim `json:"aud"`
	Expires   timeClaim     `json:"exp"`
	NotBefore timeClaim     `json:"nbf"`
	Issued    timeClaim     `json:"iat"`
	ID        textClaim     `json:"jti"`
	Client    textClaim     `json:"client_id"`
	Party     textClaim     `json:"azp"`
	Scope     textClaim     `json:"scope"`
	Username  textClaim     `json:"username"`
	Bound     textClaim     `json:"cnf"`
}

// bound returns a fault if the token is bound to a key (RFC 7800), or nil. Nothing
// proves that the client has the key, so the token may be stolen.
func (p *payload) bound(part string) *tokenFault {
	if !p.Bound.present() || p.Bound.kind == 'n' {
		return nil
	}
	return p.Bound.fault(part, "cnf", words("none, since the possession of a key is not checked"))
}

// A textClaim is a claim that should be a string.
type textClaim struct {
	s    string
	kind jsontext.Kind // 0 if the claim is absent
}

func (c *textClaim) present() bool { return c.kind != 0 }

// wrong reports whether the claim is present and not a string.
func (c *textClaim) wrong() bool { return c.kind != 0 && c.kind != '"' }

// UnmarshalJSONFrom reads a string. For any other value it keeps only the kind.
func (c *textClaim) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	c.kind = d.PeekKind()
	if c.kind != '"' {
		return d.SkipValue()
	}
	t, err := d.ReadToken()
	if err == nil {
		c.s = t.String()
	}
	return err
}

// fault returns the fault of a claim of that name.
func (c *textClaim) fault(part, name string, want fmt.Stringer) *tokenFault {
	if c.kind != '"' {
		return newFault(part, name, want, c.kind)
	}
	return newFault(part, name, want, c.kind, c.s)
}

// A timeClaim is a NumericDate (RFC 7519 section 2), rounded down to whole seconds. A
// number beyond 2^53 is wrong, because JSON numbers are exact only up to there.
type timeClaim struct {
	t     time.Time
	kind  jsontext.Kind // 0 if the claim is absent
	wrong bool
}

func (c *timeClaim) present() bool { return c.kind != 0 }

// fault returns the fault of a claim of that name.
func (c *timeClaim) fault(part, name string, want fmt.Stringer) *tokenFault {
	return newFault(part, name, want, c.kind)
}

// UnmarshalJSONFrom reads a number. For any other value it keeps only the kind.
func (c *timeClaim) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	v, err := d.ReadValue()
	if err != nil {
		return err
	}

	c.kind = v.Kind()
	if seconds, err := strconv.ParseInt(string(v), 10, 64); err == nil {
		c.wrong = seconds > 1<<53 || seconds < -1<<53
		c.t = time.Unix(seconds, 0)
		return nil
	}

	// ParseFloat rounds a number slightly above 2^53 to 2^53, so 2^53 is wrong here.
	f, err := strconv.ParseFloat(string(v), 64)
	c.wrong = c.kind != '0' || err != nil || math.Abs(f) >= 1<<53
	if !c.wrong {
		c.t = time.Unix(int64(math.Floor(f)), 0)
	}
	return nil
}

// An audienceClaim is a string or a list of strings (RFC 7519 section 4.1.3). An
// empty string, or one with a space, makes it wrong.
type audienceClaim struct {
	list  []string
	kind  jsontext.Kind // 0 if the claim is absent
	mixed bool          // the list has an element that is not a string
	wrong bool
}

// UnmarshalJSONFrom reads a string or a list. For any other value it keeps only the
// kind.
func (c *audienceClaim) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	v, err := d.ReadValue()
	if err != nil {
		return err
	}

	c.kind = v.Kind()
	switch c.kind {
	case '"':
		c.list = make([]string, 1)
		c.wrong = json.Unmarshal(v, &c.list[0]) != nil
	case '[':
		var items []textClaim
		c.wrong = json.Unmarshal(v, &items) != nil
		for _, item := range items {
			c.mixed = c.mixed || item.wrong()
			c.list = append(c.list, item.s)
		}
		c.wrong = c.wrong || c.mixed
	}

	for _, a := range c.list {
		c.wrong = c.wrong || a == "" || strings.Contains(a, " ")
	}
	return nil
}

// fault returns the fault of a claim of that name.
func (c *audienceClaim) fault(part, name string, want fmt.Stringer) *tokenFault {
	if c.mixed || len(c.list) == 0 {
		return newFault(part, name, want, c.kind)
	}
	return newFault(part, name, want, c.kind, c.list...)
}

// names reports whether the claim can name somebody or something. If it is present,
// it must be a string that is not empty and has no control characters.
func (c *textClaim) names(required bool) bool {
	if !c.present() {
		return !required
	}
	return !c.wrong() && c.s != "" && !strings.ContainsFunc(c.s, unicode.IsControl)
}

// misnamed returns why a claim is not a valid name. It is called if names has returned
// false.
func (c *textClaim) misnamed(part, name string) *tokenFault {
	switch {
	case c.kind != '"':
		return c.fault(part, name, wantString)
	case c.s == "":
		return c.fault(part, name, wantFilled)
	}
	return c.fault(part, name, wantPrinted)
}

// userIn returns the login in the claim of that name, or "" if there is none. raw is
// the JSON text of p. It is parsed again for a claim that p has no field for.
func (p *payload) userIn(part, claim string, raw []byte) (string, error) {
	var c textClaim
	switch claim {
	case "username":
		c = p.Username
	case "sub":
		c = p.Subject
	default:
		var all map[string]textClaim
		if err := json.Unmarshal(raw, &all); err != nil {
			return "", withoutValue(err)
		}
		c = all[claim]
	}

	if !c.names(false) {
		return "", c.misnamed(part, claim)
	}
	if claim == "sub" && (c.s == p.Client.s || c.s == p.Party.s) {
		// A client's own token has the client as its subject (RFC 9068 section 2.2).
		return "", nil
	}
	return c.s, nil
}

// checkTrust returns an error that names every fault of the fields that [JWTConfig] and
// [IntrospectionConfig] share. A name with blanks around it, as from a file's line,
// would match no token.
func checkTrust(issuer string, audience []string, userClaim string, leeway time.Duration) error {
	var errs []error
	switch {
	case issuer == "":
		errs = append(errs, errors.New("no Issuer"))
	case strings.TrimSpace(issuer) != issuer:
		errs = append(errs, fmt.Errorf("the Issuer %q has blanks around it", issuer))
	}
	for _, a := range audience {
		if a == "" || strings.ContainsFunc(a, unicode.IsSpace) {
			errs = append(errs, fmt.Errorf("the Audience has %q, expected names that are not empty and hold no blank", a))
		}
	}
	if slices.Contains([]string{"iss", "aud", "exp", "nbf", "iat", "jti"}, userClaim) {
		errs = append(errs, fmt.Errorf("UserClaim is %q, which names no user", userClaim))
	}
	if leeway < 0 || leeway > time.Minute {
		errs = append(errs, fmt.Errorf("the Leeway is %v, expected 0 to 1m", leeway))
	}
	return errors.Join(errs...)
}
