package idp

import (
	"slices"
	"strings"
)

// markClaims are the claims in which servers say what kind a token is of.
var markClaims = []string{"typ", "token_use", "token_type", "type"}

// Values of markClaims in lower case. A refresh or logout token has one of the first list,
// and an ID token one of the second.
var (
	otherMarks = []string{"refresh", "refresh_token", "refreshtoken", "refresh+jwt", "offline", "logout", "logout+jwt", "logout_token"}
	idMarks    = []string{"id", "id_token", "idtoken"}
)

// checkMarks returns the fault of a token whose claims mark it as one of another type, or
// that is of no kind that the provider gives to access tokens.
func (t *trusted) checkMarks(c Claims) error {
	p, isID := &t.cfg.preset, ""
	// Refresh and logout tokens never pass, and ID tokens only by AllowIDTokens.
	for _, name := range markClaims {
		switch mark := mediaType(c.Text(name)); {
		case slices.Contains(otherMarks, mark):
			return c.fault(name, words("an access token"))
		case slices.Contains(idMarks, mark):
			isID = name
		}
	}
	if c.Has("events") {
		return c.fault("events", words("none: it is in logout tokens and other security events (RFC 8417)"))
	}

	switch {
	case isID != "":
	case c.Has("at_hash"):
		isID = "at_hash"
	case c.Has("c_hash"):
		isID = "c_hash"
	case c.Has("nonce") && !c.Has("scope") && !c.Has("scp"):
		isID = "nonce"
	case p.accessMarks != nil && !slices.ContainsFunc(p.accessMarks, c.Has):
		isID = p.accessMarks[0]
	}
	if isID != "" && !t.cfg.AllowIDTokens {
		want := words("no mark of an ID token, but an access token")
		if !c.Has(isID) {
			want = words("this claim or " + strings.Join(p.accessMarks[1:], " or ") + ", one of which every access token has")
		}
		return c.fault(isID, want).see("AllowIDTokens")
	}

	if p.kind != "" && isID == "" && !slices.Contains(p.kinds, c.Text(p.kind)) {
		return c.fault(p.kind, anyOf(p.kinds))
	}
	return nil
}
