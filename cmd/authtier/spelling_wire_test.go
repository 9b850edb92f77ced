package main

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
)

// A token has one spelling.
func TestTokenSpelling(t *testing.T) {
	t.Parallel()
	w := sharedDemo(t)
	token := w.tiersGrant().text("access_token")
	parts := strings.Split(token, ".")
	cases := map[string]string{
		"J15 no dot":            parts[0] + parts[1] + parts[2],
		"J15 one dot":           parts[0] + "." + parts[1],
		"J15 three dots":        token + ".",
		"J15 a dot in front":    "." + token,
		"J15 five parts":        token + "." + parts[1] + "." + parts[2],
		"J16 JWE of five parts": parts[0] + ".." + parts[1] + "." + parts[1] + "." + parts[2],
		"J15 dots alone":        strings.Repeat(".", 8000),
		"J15 two dots":          "..",
		"J15 no header":         "." + parts[1] + "." + parts[2],
		"J15 no payload":        parts[0] + ".." + parts[2],
		"J10 a character less":  token[:len(token)-1],
		"J14 padded":            token + "==",
		"J14 padded once":       token + "=",
		"J14 standard alphabet": parts[0] + "." + parts[1] + "." + strings.Repeat("+/", 43),
		"T06 twice":             token + "." + token,
		"the payload alone":     parts[1],
		"J27 as long as may be": strings.Repeat("a", 8192-len("Bearer ")),
		"J27 long, with dots":   "a." + strings.Repeat("b", 8000) + ".c",
		"no base64":             "~.~.~",
		"T06 opaque look":       "authtier_at_" + strings.Repeat("0", 49),
		"T06 opaque prefix":     "authtier_at_",
		"T07 opaque with dots":  "authtier_at_.a.b",
	}
	for i := range parts {
		for n, twin := range unusedBitTwins(parts[i]) {
			changed := append([]string{}, parts...)
			changed[i] = twin
			cases["J13 unused bits of segment "+strconv.Itoa(i)+", twin "+strconv.Itoa(n)] = strings.Join(changed, ".")
		}
	}
	if len(unusedBitTwins(parts[2])) != 15 {
		t.Fatal("an ES256 signature has 15 twins")
	}
	for name, spelled := range cases {
		t.Run(name, func(t *testing.T) { w.refusesToken(t, spelled, "AUTH-12") })
	}
}

// unusedBitTwins are the spellings that differ in the bits that base64 does not
// use.
func unusedBitTwins(s string) []string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	unused := map[int]int{2: 16, 3: 4}[len(s)%4]
	var twins []string
	last := strings.IndexByte(alphabet, s[len(s)-1])
	for bits := 1; bits < unused; bits++ {
		twins = append(twins, s[:len(s)-1]+string(alphabet[last|bits]))
	}
	return twins
}

// In a URL, a form or JSON, a token can hold characters that a header cannot.
func TestTokenSpellingOutsideHeaders(t *testing.T) {
	t.Parallel()
	w := sharedDemo(t)
	files := w.clientToken("files")
	parts := strings.Split(files, ".")
	refused := refusal{401, "AUTH-12", "invalid_token", challengeBearer("invalid_token"), ""}
	for name, spelled := range map[string]string{
		"J14 a line break behind": files + "%0a",
		"J14 CR LF behind":        files + "%0d%0a",
		"J14 a line break inside": parts[0] + "." + parts[1][:8] + "%0a" + parts[1][8:] + "." + parts[2],
		"J14 a blank in front":    "%20" + files,
		"J14 a plus for a blank":  files + "+",
		"J14 a tab inside":        parts[0] + "." + parts[1] + ".%09" + parts[2],
		"J14 padded":              files + "%3d%3d",
		"J14 NUL behind":          files + "%00",
		"J17 JSON serialization":  `%7b%22payload%22:%22` + parts[1] + `%22%7d`,
		"with the scheme":         "Bearer%20" + files,
		"J26 not UTF-8":           files + "%ff",
	} {
		t.Run(name, func(t *testing.T) { refused.check(t, w.do("GET", "/v1/img/a.png?access_token="+spelled)) })
	}
	w.do("GET", "/v1/img/a.png?access_token="+files).want(t, 200, "")

	refresh := w.oauth2Grant().text("refresh_token")
	client := basic("demo-client", "demo-secret")
	unknown := refusal{400, "AUTH-12", "invalid_grant", "", ""}
	for name, spelled := range map[string]string{
		"a line break behind": refresh + "\n", "a blank in front": " " + refresh, "one character less": refresh[:len(refresh)-1],
		"one character more": refresh + "0", "the case swapped": swapCase(refresh), "the prefix alone": "authtier_rt_",
		"a pattern": "authtier_rt_%", "underscores": strings.Repeat("_", len(refresh)), "padded": refresh + "=",
	} {
		t.Run("T06 refresh token, "+name, func(t *testing.T) {
			unknown.check(t, w.do("POST", "/oauth2/token", client, form("grant_type", "refresh_token", "refresh_token", spelled)))
			quoted, _ := json.Marshal(map[string]string{"grant_type": "refresh_token", "refresh_token": spelled})
			unknown.check(t, w.do("POST", "/oauth2/token", client, body("application/json", string(quoted))))
		})
	}
	t.Run("T02 nothing was consumed", func(t *testing.T) {
		w.do("POST", "/oauth2/token", client, form("grant_type", "refresh_token", "refresh_token", refresh)).want(t, 200, "")
	})
}

func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 32
		case 'A' <= r && r <= 'Z':
			return r + 32
		}
		return r
	}, s)
}
