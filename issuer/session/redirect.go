package session

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/authtier/authtier/issuer/internal/form"
)

// A Redirect is where a login may send the browser.
type Redirect struct {
	// URI is compared character by character with what was asked for, up to the
	// query: an absolute https URL without query and fragment, or an http one on
	// loopback. The token goes there, and over http anyone on the way could read it.
	URI string

	// Params are the parameters that the query asked for may hold, each once. If
	// nil, it is "state" alone.
	Params []string
}

func (r Redirect) check() error {
	u, err := url.Parse(r.URI)
	switch {
	case err != nil:
		return fmt.Errorf("redirect: %w", err)
	case u.Scheme != "https" && !(u.Scheme == "http" && form.Loopback(u.Hostname())) || u.Host == "" || u.User != nil || strings.ContainsAny(r.URI, "?#\\"):
		return fmt.Errorf("redirect %q: expected an absolute https URL, or http on loopback, without user, query and fragment", r.URI)
	case slices.Contains(r.Params, "access_token"):
		return fmt.Errorf("redirect %q: access_token is no parameter to keep", r.URI)
	}
	return nil
}

// redirectTarget returns the allowed target that uri is. Nothing of what is not
// the query is parsed: who parses can be fooled.
func (m *Manager) redirectTarget(uri string) (*url.URL, error) {
	base, query, _ := strings.Cut(uri, "?")
	for _, r := range m.cfg.Redirects {
		if r.URI == base && r.allows(query) {
			u, err := url.Parse(base)
			if err != nil {
				break
			}
			u.RawQuery = query
			return u, nil
		}
	}
	return nil, form.Invalid("redirect_uri", "it is not one of those allowed")
}

func (r Redirect) allows(query string) bool {
	params := r.Params
	if params == nil {
		params = []string{"state"}
	}
	values, err := url.ParseQuery(query)
	if err != nil || strings.Contains(query, "#") {
		return false
	}
	for name, vs := range values {
		if len(vs) != 1 || !slices.Contains(params, name) {
			return false
		}
	}
	return true
}
