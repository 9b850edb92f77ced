package middleware

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// payload are the claims that a token may have (RFC 7519 section 4.1, RFC 9068
// section 2.2). A claim of a wrong JSON type is kept as such: whether it matters
// is judged after the signature.
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
}

// A textClaim is a string, absent, or of a wrong type.
type textClaim struct {
	s       string
	present bool
	wrong   bool
}

// UnmarshalJSONFrom reads a string, and notes anything else.
func (c *textClaim) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	c.present = true
	if d.PeekKind() != '"' {
		c.wrong = true
		return d.SkipValue()
	}
	t, err := d.ReadToken()
	if err == nil {
		c.s = t.String()
	}
	return err
}

// A timeClaim is a NumericDate (RFC 7519 section 2), cut to whole seconds.
// Beyond what a JSON number holds exactly there is no time.
type timeClaim struct {
	t       time.Time
	present bool
	wrong   bool
}

// UnmarshalJSONFrom reads a number, and notes anything else.
func (c *timeClaim) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	c.present = true
	v, err := d.ReadValue()
	if err != nil {
		return err
	}
	if seconds, err := strconv.ParseInt(string(v), 10, 64); err == nil {
		c.wrong = seconds > 1<<53 || seconds < -1<<53
		c.t = time.Unix(seconds, 0)
		return nil
	}
	f, err := strconv.ParseFloat(string(v), 64) // rounds what is a little more than 2^53 to it
	c.wrong = v.Kind() != '0' || err != nil || math.Abs(f) >= 1<<53
	if !c.wrong {
		c.t = time.Unix(int64(math.Floor(f)), 0)
	}
	return nil
}

// An audienceClaim is one string or a list of them (RFC 7519 section 4.1.3). One
// that is empty or holds a space makes it wrong.
type audienceClaim struct {
	list  []string
	wrong bool
}

// UnmarshalJSONFrom reads a string or a list, and notes anything else.
func (c *audienceClaim) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	v, err := d.ReadValue()
	if err != nil {
		return err
	}
	switch v.Kind() {
	case '"':
		c.list = make([]string, 1)
		c.wrong = json.Unmarshal(v, &c.list[0]) != nil
	case '[':
		var items []textClaim
		c.wrong = json.Unmarshal(v, &items) != nil
		for _, item := range items {
			c.wrong = c.wrong || item.wrong
			c.list = append(c.list, item.s)
		}
	}
	for _, a := range c.list {
		c.wrong = c.wrong || a == "" || strings.Contains(a, " ")
	}
	return nil
}

// check returns an error that names a claim which is missing or does not fit.
// An at+jwt needs more of them (RFC 9068 section 2.2).
func (p *payload) check(at bool) error {
	names := []struct {
		name     string
		claim    *textClaim
		required bool
	}{
		{"iss", &p.Issuer, true}, {"sub", &p.Subject, true}, {"jti", &p.ID, at}, {"client_id", &p.Client, at},
		{"azp", &p.Party, false},
	}
	for _, n := range names {
		if !n.claim.names(n.required) {
			return claimFault(n.name)
		}
	}
	switch {
	case p.Party.s != "" && p.Client.s != "" && p.Party.s != p.Client.s:
		return claimFault("azp")
	case p.Scope.wrong || !Scopes(p.Scope.s).Valid():
		return claimFault("scope")
	case p.Audience.wrong || len(p.Audience.list) == 0:
		return claimFault("aud")
	case p.Expires.wrong || !p.Expires.present:
		return claimFault("exp")
	case p.NotBefore.wrong:
		return claimFault("nbf")
	case p.Issued.wrong || at && !p.Issued.present || p.Issued.t.After(p.Expires.t):
		return claimFault("iat")
	}
	return nil
}

// names reports whether the claim names somebody or something: it is not empty
// where it is present, and has no control characters.
func (c *textClaim) names(required bool) bool {
	if !c.present {
		return !required
	}
	return !c.wrong && c.s != "" && !strings.ContainsFunc(c.s, unicode.IsControl)
}

func claimFault(name string) error {
	return fmt.Errorf("payload: the claim %q is missing or does not fit", name)
}

// user returns the login in the claim of that name, or "" if there is none.
func (t *token) user(claim string) (string, error) {
	var raw []byte
	if claim != "username" && claim != "sub" {
		raw, _ = decodeBase64(strictURL, t.signed[len(t.head)+1:])
	}
	return t.claims.userIn(claim, raw)
}

// userIn returns the login in the claim of that name, or "" if there is none. Raw
// is what p was read from; it is looked at for claims that p does not have.
func (p *payload) userIn(claim string, raw []byte) (string, error) {
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
		return "", claimFault(claim)
	}
	return c.s, nil
}
