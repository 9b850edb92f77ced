package partner

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/issuer/internal/form"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// readJSON decodes the body into v, which has members of these names. An empty body
// counts as an empty object.
func readJSON(w http.ResponseWriter, r *http.Request, v any, names ...string) error {
	body, err := form.ReadBody(w, r)
	switch {
	case err != nil:
		return err
	case len(body.Content) == 0:
		return nil
	case body.IsJSON() && jsontext.Value(body.Content).Kind() == '{':
		err = json.Unmarshal(body.Content, v)
		if err == nil {
			return nil
		}
	}

	// The error names a repeated member only if it is a known one, because an answer
	// never holds text of a refused request.
	if twice, ok := errors.AsType[*jsontext.SyntacticError](err); ok && twice.Err == jsontext.ErrDuplicateName {
		if i := slices.Index(names, strings.TrimPrefix(string(twice.JSONPointer), "/")); i >= 0 {
			return form.Invalid(names[i], "repeated")
		}
	}
	return &errorsx.Error{Code: errorsx.InvalidParameter, Message: "Invalid body: expected a JSON object"}
}

// stringList decodes a JSON array of strings.
func stringList(name string, v jsontext.Value) ([]string, error) {
	bad := form.Invalid(name, "expected an array of strings")
	if v.Kind() != '[' {
		return nil, bad
	}
	var items []jsontext.Value
	if json.Unmarshal(v, &items) != nil {
		return nil, bad
	}
	list := make([]string, len(items))
	for i, item := range items {
		if item.Kind() != '"' || json.Unmarshal(item, &list[i]) != nil {
			return nil, bad
		}
	}
	return list, nil
}

// text decodes a JSON string. If v is nil, the string is empty.
func text(name string, v jsontext.Value) (s string, err error) {
	if v == nil {
		return "", nil
	}
	if v.Kind() != '"' || json.Unmarshal(v, &s) != nil {
		return "", form.Invalid(name, "expected a string")
	}
	return s, nil
}

const (
	minTTL     = time.Minute
	maxTTL     = 24 * time.Hour
	defaultTTL = time.Hour
)

// mint gives the client an access token with some of its own scopes.
func (p *Partner) mint(w http.ResponseWriter, r *http.Request, id middleware.Identity) error {
	var in struct {
		Scopes    jsontext.Value `json:"scopes"`
		ExpiresIn jsontext.Value `json:"expires_in"`
	}
	if err := readJSON(w, r, &in, "scopes", "expires_in"); err != nil {
		return err
	}

	// A request without scopes gets all scopes of the client.
	scopes := id.Scopes.List()
	if in.Scopes != nil {
		var err error
		if scopes, err = stringList("scopes", in.Scopes); err != nil {
			return err
		}
		if len(scopes) == 0 {
			return form.Invalid("scopes", "expected at least one")
		}
	}

	ttl, err := lifetime(in.ExpiresIn)
	if err != nil {
		return err
	}

	// A scope with a space would count as two, and an empty scope would mean the
	// default.
	refused := &errorsx.Error{Code: errorsx.ScopeNotAuthorized, OAuthError: "invalid_scope", Client: id.Client}
	malformed := func(s string) bool { return s == "" || strings.Contains(s, " ") || !middleware.Scopes(s).Valid() }
	if len(scopes) == 0 || slices.ContainsFunc(scopes, malformed) {
		return refused
	}

	tokens, err := p.issuer.Mint(r.Context(), issuer.Grant{
		Client: id.Client, Scope: strings.Join(scopes, " "), TTL: ttl, By: &id,
	})
	if errors.Is(err, errorsx.ScopeNotAuthorized) {
		return refused
	}
	if err != nil {
		return err
	}
	form.WriteJSON(w, http.StatusCreated, tokens)
	return nil
}

// lifetime decodes a whole number of seconds, which must consist of digits only.
func lifetime(v jsontext.Value) (time.Duration, error) {
	if v == nil {
		return defaultTTL, nil
	}
	seconds, err := strconv.ParseInt(string(v), 10, 32)
	ttl := time.Duration(seconds) * time.Second
	if v.Kind() != '0' || err != nil || ttl < minTTL || ttl > maxTTL {
		return 0, form.Invalid("expires_in", fmt.Sprintf("expected an integer from %.0f to %.0f", minTTL.Seconds(), maxTTL.Seconds()))
	}
	return ttl, nil
}

// inspect returns the record of a token. typ is "access", "refresh", or "" for either.
func (p *Partner) inspect(ctx context.Context, token, typ string) (*store.Token, error) {
	if typ == "refresh" {
		return p.issuer.InspectRefresh(ctx, token)
	}
	t, err := p.issuer.InspectAccess(ctx, token)
	if typ == "" && errors.Is(err, errorsx.WrongTokenType) {
		return p.issuer.InspectRefresh(ctx, token)
	}
	return t, err
}

// verify tells any partner whether a token that it has is valid, and for what.
func (p *Partner) verify(w http.ResponseWriter, r *http.Request, _ middleware.Identity) error {
	var in struct {
		Token  jsontext.Value `json:"token"`
		Type   jsontext.Value `json:"type"`
		Scopes jsontext.Value `json:"scopes"`
	}
	if err := readJSON(w, r, &in, "token", "type", "scopes"); err != nil {
		return err
	}

	token, err := text("token", in.Token)
	if err != nil {
		return err
	}
	if token == "" {
		return form.Missing("token")
	}

	wanted, err := text("type", in.Type)
	if err != nil {
		return err
	}
	if in.Type != nil && wanted != "access" && wanted != "refresh" {
		return form.Invalid("type", "expected access or refresh")
	}

	var scopes []string
	if in.Scopes != nil {
		if scopes, err = stringList("scopes", in.Scopes); err != nil {
			return err
		}
	}

	t, err := p.inspect(r.Context(), token, wanted)
	if err != nil {
		return err
	}
	typ := "access"
	if t.Refresh {
		typ = "refresh"
	}

	has := middleware.Scopes(t.Scopes)
	if slices.ContainsFunc(scopes, func(s string) bool { return !has.Has(s) }) {
		return errorsx.ScopeNotAuthorized
	}
	form.WriteJSON(w, http.StatusOK, struct {
		Active  bool   `json:"active"`
		Client  string `json:"client_id"`
		Scope   string `json:"scope"`
		Type    string `json:"type"`
		Expires int64  `json:"expires_at"`
	}{true, t.Client, t.Scopes, typ, t.Expires.Unix()})
	return nil
}
