package middleware

import "net/http"

// A location is a place in requests where credentials are found. Its header values are
// shared by all answers and must not be changed.
type location struct {
	query   bool
	cookie  bool
	vary    []string
	private bool // shared caches would not protect the answer by themselves
}

var (
	privateValue    = []string{"private"}
	noReferrerValue = []string{"no-referrer"}
)

// headerLocation returns the location of credentials in a header, by its canonical name.
func headerLocation(name string) *location {
	if name == "Authorization" {
		return &location{}
	}
	return &location{vary: []string{shown(name)}, private: true}
}

// protect sets the headers that keep shared caches from giving an answer to others.
// Authorization needs none, because caches protect it (RFC 9111 section 3.5).
func (s *location) protect(h http.Header) {
	if !s.private && len(s.vary) == 0 {
		return
	}
	var vary, cacheControl []string
	if len(h) > 0 {
		vary, cacheControl = h["Vary"], h["Cache-Control"]
	}

	switch {
	case len(s.vary) == 0:
	case len(vary) == 0:
		// The limited capacity keeps a handler that appends out of the shared array.
		h["Vary"] = s.vary[:len(s.vary):len(s.vary)]
	default:
		h["Vary"] = append(vary[:len(vary):len(vary)], s.vary...)
	}
	if s.private && len(cacheControl) == 0 {
		h["Cache-Control"] = privateValue
	}
	if s.query {
		h["Referrer-Policy"] = noReferrerValue
	}
}
