package session

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/authtier/authtier/issuer/internal/form"
)

// A Redirect is a place to which a login may redirect the browser.
type Redirect struct {
	// URI must be an absolute https URL without user, query and fragment, or such an
	// http URL on loopback. It is compared character by character with the requested
	// URI up to its query. The token is sent there; over http, anyone on the network
	// path could read it.
	URI string

	// Params are the parameters that the requested query may hold, each once. If nil,
	// it may hold only "state". They must not include access_token.
	Params []string
}

func (r Redirect) check() error {
	u, err := url.Parse(r.URI)
	switch {
	case err != nil:
		return fmt.Errorf("redirect %q: it does not parse", r.URI)
	case u.Scheme != "https" && !(u.Scheme == "http" && form.Loopback(u.Hostname())) || u.Hostname() == "" || u.User != nil || strings.ContainsAny(r.URI, "?#\\"):
		return fmt.Errorf("redirect %q: expected an absolute https URL, or http on loopback, without user, query and fragment", r.URI)
	case slices.Contains(r.Params, "access_token"):
		return fmt.Errorf("redirect %q: Params must not contain access_token", r.URI)
	}
	return nil
}

// redirectTarget returns the allowed target that uri names. Only the query of uri is
// parsed; the rest is compared as text, because parsers of URLs can be fooled.
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

	// A repeated or unknown parameter could mean something else to the target.
	for name, vs := range values {
		if len(vs) != 1 || !slices.Contains(params, name) {
			return false
		}
	}
	return true
}
