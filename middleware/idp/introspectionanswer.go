package idp

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// readAnswer parses the answer of an introspection endpoint (RFC 7662 section 2.2). Its
// errors are faults of the endpoint, not of the token.
func readAnswer(body []byte) (answer Claims, active bool, err error) {
	if jsontext.Value(body).Kind() != '{' {
		return Claims{}, false, errors.New("not a JSON object")
	}
	answer = Claims{part: inAnswer}
	if answer.members, err = readMembers(body); err != nil {
		return Claims{}, false, withoutValue(err)
	}

	verdict, _ := answer.members.get("active")
	kind := verdict.Kind()
	if kind != 't' && kind != 'f' {
		return Claims{}, false, errors.New(`the member "active" is missing or no boolean`)
	}

	// Servers that always send exp send 0 for a token that does not expire.
	exp, _ := answer.members.get("exp")
	if seconds, err := strconv.ParseFloat(string(exp), 64); err == nil && seconds == 0 {
		answer.members = slices.DeleteFunc(answer.members, func(m member) bool { return string(m.name) == "exp" })
	}
	return answer, kind == 't', nil
}

// unknownLifetime is the time for which an answer without exp is good.
const unknownLifetime = time.Minute

// judgeAnswer decides on a token by an answer in which it is active. object is the
// answer's JSON. The first fault decides the code, in the same order as for signed tokens.
func (t *trusted) judgeAnswer(ctx context.Context, now time.Time, answer Claims, object string) (*middleware.Identity, error) {
	tenant, err := t.answerTenant(answer)
	if err != nil {
		return nil, refused(errorsx.UnknownToken, err)
	}
	if err := t.checkAnswerType(answer); err != nil {
		return nil, err
	}
	times, err := t.readTimes(answer)
	if err != nil {
		return nil, refused(errorsx.UnknownToken, err)
	}

	client, err := t.checkClaims(answer, times, tenant, now)
	if err != nil {
		return nil, err
	}
	if isDPoP(answer) {
		return nil, refused(errorsx.UnknownToken, answer.fault("token_type", words("Bearer, since the possession of a key is not checked")))
	}

	if !times.hasExpires {
		times.expires = now.Add(unknownLifetime)
	}
	return t.identity(ctx, answer, object, client, "", times)
}

// answerTenant checks the issuer in an answer and returns the token's tenant, if a
// template has matched. An answer without iss is of the only issuer that the endpoint
// knows, but it names no tenant.
func (t *trusted) answerTenant(answer Claims) (tenant string, err error) {
	isTemplate := func(issuer string) bool {
		_, _, ok := cutTenant(issuer)
		return ok
	}
	if !answer.Has("iss") && !slices.ContainsFunc(t.cfg.Issuers, isTemplate) {
		return "", nil
	}

	if v := answer.value("iss"); v.Kind() == '"' {
		iss := unquoted(v)
		if slices.Contains(t.cfg.Issuers, iss) && !isTemplate(iss) {
			return "", nil
		}
		switch tenant := t.anyTenant(iss); {
		case tenant != "" && t.accepts(tenant):
			return tenant, nil
		case tenant != "":
			return "", otherTenant(answer, tenant)
		}
	}
	return "", answer.fault("iss", anyOf(t.cfg.Issuers))
}

// checkAnswerType returns the refusal of a token that is no Bearer access token, or nil.
// Tokens that are bound to a key are refused later, because one that has expired is
// AUTH-11.
func (t *trusted) checkAnswerType(answer Claims) error {
	for _, name := range []string{"token_type", "typ", "token_use"} {
		if v := answer.value(name); v != nil && v.Kind() != '"' {
			return refused(errorsx.UnknownToken, answer.fault(name, words("a string")))
		}
	}
	if isDPoP(answer) {
		return nil
	}

	if v := answer.value("token_type"); v != nil {
		if typ := unquoted(v); !strings.EqualFold(typ, "Bearer") && !strings.EqualFold(typ, "access_token") {
			return refused(errorsx.WrongTokenType, answer.fault("token_type", words("Bearer or access_token")))
		}
	}
	if err := t.checkMarks(answer); err != nil {
		return refused(errorsx.WrongTokenType, err)
	}
	return nil
}

// isDPoP reports whether the token is bound to a key by DPoP (RFC 9449).
func isDPoP(answer Claims) bool { return strings.EqualFold(answer.Text("token_type"), "DPoP") }
