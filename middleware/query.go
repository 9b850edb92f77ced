package middleware

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware/internal/syntax"
)

// queryToken returns the access_token of a query, or "" if it has none. A query that
// does not decode is refused if it contains the text access_token. Otherwise another
// server might read a token from a query that this one ignores.
func queryToken(query string) (string, error) {
	values, err := url.ParseQuery(query)
	if err != nil && !strings.Contains(query, "access_token") {
		return "", nil
	}

	tokens := values["access_token"]
	why := ""
	switch {
	case err != nil:
		why = "the query does not decode"
	case len(tokens) == 0:
		return "", nil
	case len(tokens) > 1:
		why = "repeated"
	case tokens[0] == "":
		why = "empty"
	case len(tokens[0]) > syntax.MaxCredential:
		why = "more than 8192 bytes"
	default:
		return tokens[0], nil
	}

	return "", &errorsx.Error{
		Code: errorsx.CredentialsMalformed, Message: "Invalid \"access_token\" parameter: " + why,
	}
}

// queryOffers reports whether a query has a token, or may have one that does not
// decode.
func queryOffers(r *http.Request) bool {
	if r.URL.RawQuery == "" || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	token, err := queryToken(r.URL.RawQuery)
	return token != "" || err != nil
}
