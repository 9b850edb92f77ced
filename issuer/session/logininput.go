package session

import (
	"cmp"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer/internal/form"
	"github.com/authtier/authtier/middleware"
)

// The forms of a login's answer.
const (
	asText = iota
	asJSON
	asOAuth2
	asRedirect
)

// loginInput holds the parameters of a login.
type loginInput struct {
	places []form.Params // may hold username and password; the first one that does counts
	output int
	target *url.URL // for asRedirect
}

var loginOptions = []string{"_json", "_oauth2", "_output", "redirect_uri"}

func (m *Manager) readLogin(w http.ResponseWriter, r *http.Request) (*loginInput, error) {
	// If a header decides, username and password elsewhere are unknown parameters.
	known := loginOptions
	if !m.headerDecides(r) {
		known = append([]string{"username", "password"}, loginOptions...)
	}
	query, err := form.Query(r, loginOptions...)
	if err != nil {
		return nil, err
	}

	in := &loginInput{}
	var fields form.Params
	if r.Method == http.MethodPost {
		body, err := form.ReadBody(w, r)
		if err != nil {
			return nil, err
		}
		if fields, err = body.Form(known...); err != nil {
			return nil, err
		}
		in.places = append(in.places, fields)
	}

	asked := map[string]string{}
	for _, name := range loginOptions {
		q, f := query.Get(name), fields.Get(name)
		if q != "" && f != "" && q != f {
			return nil, form.Invalid(name, "query and body contradict each other")
		}
		asked[name] = cmp.Or(q, f)
	}

	if m.cfg.AllowQueryCredentials && r.Method == http.MethodGet && asked["redirect_uri"] == "" {
		if query, err = form.Query(r, known...); err != nil {
			return nil, err
		}
		in.places = append(in.places, query)
	}
	return in, m.chooseOutput(in, r, asked)
}

// headerDecides reports whether a header is present that credentials are read from.
func (m *Manager) headerDecides(r *http.Request) bool {
	for _, header := range m.headers() {
		if _, err := middleware.ReadBasic(r, header); !errors.Is(err, errorsx.CredentialsMissing) {
			return true
		}
	}
	return false
}

func (m *Manager) headers() []string { return []string{m.cfg.Header, "Authorization"} }

func (m *Manager) chooseOutput(in *loginInput, r *http.Request, asked map[string]string) error {
	jsonWanted, err := flag("_json", asked)
	if err != nil {
		return err
	}
	oauth2, err := flag("_oauth2", asked)
	if err != nil {
		return err
	}

	output := asked["_output"]
	switch {
	case output != "" && output != "json" && output != "oauth2":
		return form.Invalid("_output", "expected json or oauth2")
	case output == "json" && oauth2, output == "oauth2" && asked["_oauth2"] == "false":
		return form.Invalid("_output", "it contradicts _oauth2")
	case output == "json" && asked["_json"] == "false":
		return form.Invalid("_output", "it contradicts _json")
	case asked["redirect_uri"] != "":
		in.output = asRedirect
		in.target, err = m.redirectTarget(asked["redirect_uri"])
		return err
	case oauth2 || output == "oauth2":
		in.output = asOAuth2
		// RFC 6749 section 3.2 requires TLS.
		if !middleware.OverTLS(r) {
			name := "_output"
			if oauth2 {
				name = "_oauth2"
			}
			return form.Invalid(name, "this form of answer requires TLS")
		}
	case output == "json" || jsonWanted || asked["_json"] == "" && acceptsJSON(r):
		in.output = asJSON
	}
	return nil
}

func flag(name string, asked map[string]string) (bool, error) {
	switch asked[name] {
	case "true":
		return true, nil
	case "", "false":
		return false, nil
	}
	return false, form.Invalid(name, "expected true or false")
}

// maxAccept is the largest Accept header that is parsed, in bytes.
const maxAccept = 8 << 10

// acceptsJSON reports whether Accept names application/json, but neither text/plain nor
// */*.
func acceptsJSON(r *http.Request) bool {
	named := map[string]bool{}
	accept := strings.Join(r.Header["Accept"], ",")
	if len(accept) > maxAccept {
		return false
	}
	for item := range strings.SplitSeq(accept, ",") {
		if mediaType, _, err := mime.ParseMediaType(item); err == nil {
			named[mediaType] = true
		}
	}
	return named["application/json"] && !named["text/plain"] && !named["*/*"]
}
