package main

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

const partnerPair = "demo-partner:demo-partner-secret"

func TestBasicHeader(t *testing.T) {
	t.Parallel()
	w := sharedDemo(t)
	missing := refusal{401, "AUTH-2", "invalid_request", challengeBasic, `"Authorization"`}
	malformed := refusal{401, "AUTH-3", "invalid_request", challengeBasic, `"Authorization"`}
	wrong := refusal{401, "AUTH-1", "invalid_token", challengeBasic, ""}
	good := "Authorization: Basic " + b64(partnerPair)
	for _, tt := range []struct {
		name  string
		lines []string
		want  refusal
	}{
		{"H05 none", nil, missing},
		{"H05 empty", []string{"Authorization:"}, missing},
		{"H05 scheme alone", []string{"Authorization: Basic"}, malformed},
		{"H05 scheme and a blank", []string{"Authorization: Basic "}, malformed},
		{"H05 unknown scheme", []string{"Authorization: Digest " + b64(partnerPair)}, malformed},
		{"H05 no scheme", []string{"Authorization: " + b64(partnerPair)}, malformed},
		{"longer scheme", []string{"Authorization: Basics " + b64(partnerPair)}, malformed},
		{"Bearer", []string{"Authorization: Bearer " + b64(partnerPair)}, malformed},
		{"H01 two lines", []string{good, "Authorization: Basic " + b64("a:b")}, malformed},
		{"H01 the same line twice", []string{good, good}, malformed},
		{"H01 two lines, one empty", []string{good, "Authorization:"}, malformed},
		{"H02 two schemes in one line", []string{good + ", Bearer x"}, malformed},
		{"H02 two values in one line", []string{good + "," + b64(partnerPair)}, malformed},
		{"H04 a tab", []string{"Authorization: Basic\t" + b64(partnerPair)}, malformed},
		{"H04 a blank and a tab", []string{"Authorization: Basic \t" + b64(partnerPair)}, malformed},
		{"H04 a no-break space", []string{"Authorization: Basic\u00a0" + b64(partnerPair)}, malformed},
		{"H07 folded line", []string{"Authorization: Basic " + b64(partnerPair)[:8], " " + b64(partnerPair)[8:]}, malformed},
		{"something behind", []string{good + " x"}, malformed},
		{"H09 no colon", []string{"Authorization: Basic " + b64("demo-partner")}, malformed},
		{"H09 bad base64", []string{"Authorization: Basic ***"}, malformed},
		{"H09 padding alone", []string{"Authorization: Basic ="}, malformed},
		{"H09 as it is", []string{"Authorization: Basic " + partnerPair}, malformed},
		{"H09 URL-safe alphabet", []string{"Authorization: Basic " + base64.URLEncoding.EncodeToString([]byte("a:???>>>"))}, malformed},
		{"H09 unpadded", []string{"Authorization: Basic " + strings.TrimRight(b64(partnerPair), "=")}, malformed},
		{"H09 padded too much", []string{good + "===="}, malformed},
		{"H09 stray bits", []string{"Authorization: Basic YWI6Yz=="}, malformed},
		{"H09 a line feed inside", []string{"Authorization: Basic " + b64("demo-partner:x\ny")}, malformed},
		{"H09 NUL in the user-id", []string{"Authorization: Basic " + b64("demo\x00partner:x")}, malformed},
		{"H09 a tab in the password", []string{"Authorization: Basic " + b64("demo-partner:\tx")}, malformed},
		{"H09 DEL", []string{"Authorization: Basic " + b64("demo-partner:x\x7f")}, malformed},
		{"H09 a C1 control", []string{"Authorization: Basic " + b64("demo-partner:x\u0085")}, malformed},
		{"H09 not UTF-8", []string{"Authorization: Basic " + b64("demo-partner:caf\xe9")}, malformed},
		{"H08 over 8 KiB", []string{"Authorization: Basic " + b64("a:"+strings.Repeat("a", 6142))}, malformed},
		{"H09 both empty", []string{"Authorization: Basic Og=="}, wrong},
		{"H09 empty password", []string{"Authorization: Basic " + b64("demo-partner:")}, wrong},
		{"H09 empty user-id", []string{"Authorization: Basic " + b64(":demo-partner-secret")}, wrong},
		{"H09 the first colon splits", []string{"Authorization: Basic " + b64("demo-partner:x:demo-partner-secret")}, wrong},
		{"H09 a colon behind", []string{"Authorization: Basic " + b64(partnerPair+":")}, wrong},
		{"H09 UTF-8", []string{"Authorization: Basic " + b64("demo-partnér:sécret")}, wrong},
		{"stray bits that are none", []string{"Authorization: Basic YWI6Yw=="}, wrong},
		{"8 KiB", []string{"Authorization: Basic " + b64("ab:"+strings.Repeat("a", 6134))}, wrong},
		{"wrong secret", []string{"Authorization: Basic " + b64("demo-partner:other-partner-secret")}, wrong},
		{"user-id in another case", []string{"Authorization: Basic " + b64("Demo-Partner:demo-partner-secret")}, wrong},
		{"a blank behind the secret", []string{"Authorization: Basic " + b64(partnerPair+" ")}, wrong},
		{"H10 form-encoded where no form is read", []string{"Authorization: Basic " + b64("demo%2Dpartner:demo-partner-secret")}, wrong},
		{"in a custom header", []string{"X-Simplicite-Authorization: Basic " + b64(partnerPair)}, missing},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, path := range []string{"/partner/", "/partner/onboarding"} {
				tt.want.check(t, w.rawTarget("GET", path, tt.lines...))
			}
		})
	}
	for name, line := range map[string]string{
		"as documented": good, "H03 scheme in lower case": "Authorization: basic " + b64(partnerPair),
		"H03 scheme in mixed case": "authorization: bASIC " + b64(partnerPair), "H04 several blanks": "Authorization: Basic    " + b64(partnerPair),
		"blanks around": "Authorization: \t" + strings.TrimPrefix(good, "Authorization: ") + " \t",
	} {
		t.Run(name, func(t *testing.T) {
			a := w.rawTarget("GET", "/partner/", line)
			a.want(t, 200, "")
			if a.text("client_id") != "demo-partner" {
				t.Errorf("body %s", a.body)
			}
		})
	}
}

// The password is the client's secret or a live access token of that client.
func TestBasicPasswordIsSecretOrToken(t *testing.T) {
	t.Parallel()
	f := startForger(t)
	token := f.partnerToken("demo-partner", "onboarding")
	wrong := refusal{401, "AUTH-1", "invalid_token", challengeBasic, ""}
	expired := rawJSON{"exp": at(-1e9), "iat": at(-3600e9)}
	parts := strings.Split(token, ".")

	t.Run("live token", func(t *testing.T) {
		a := f.do("GET", "/partner/", basic("demo-partner", token))
		a.want(t, 200, "")
		if a.body = strings.TrimSpace(a.body); a.body != `{"client_id":"demo-partner","scopes":["onboarding"]}` {
			t.Errorf("the identity is the token's, got %s", a.body)
		}
		wantPong(t, f.do("GET", "/partner/onboarding", basic("demo-partner", token)))
	})
	t.Run("expired token", func(t *testing.T) {
		refusal{400, "AUTH-11", "invalid_token", challengeBasic, ""}.
			check(t, f.do("GET", "/partner/", basic("demo-partner", f.forge(t, token, nil, expired))))
	})
	var bodies []string
	for name, c := range map[string][2]string{
		"wrong secret":                      {"demo-partner", "wrong"},
		"T05 token of another client":       {"other-partner", token},
		"T05 under no client":               {"nobody", token},
		"T05 expired token of another":      {"other-partner", f.forge(t, token, nil, expired)},
		"T05 token of a user":               {"demo-partner", f.forge(t, token, nil, rawJSON{"username": `"demo"`, "sub": `"demo"`})},
		"T05 token of another issuer":       {"demo-partner", f.forge(t, token, nil, rawJSON{"iss": `"https://id.example.com"`})},
		"T08 token for another audience":    {"demo-partner", f.forge(t, token, nil, rawJSON{"aud": `"` + f.url + `/oauth2"`})},
		"T08 expired, for another audience": {"demo-partner", f.forge(t, token, nil, rawJSON{"exp": at(-1e9), "iat": at(-3600e9), "aud": `"x"`})},
		"bad signature":                     {"demo-partner", flipSignature(token)},
		"bad signature and expired":         {"demo-partner", flipSignature(f.forge(t, token, nil, expired))},
		"another type of token":             {"demo-partner", f.forge(t, token, rawJSON{"typ": `"JWT"`}, nil)},
		"not yet valid":                     {"demo-partner", f.forge(t, token, nil, rawJSON{"nbf": at(3600e9)})},
		"garbled token":                     {"demo-partner", parts[0] + "." + parts[1]},
		"J13 another spelling of the token": {"demo-partner", parts[0] + "." + parts[1] + "." + unusedBitTwins(parts[2])[0]},
		"J14 padded token":                  {"demo-partner", token + "="},
		"J14 a blank in front":              {"demo-partner", " " + token},
		"the scheme in front":               {"demo-partner", "Bearer " + token},
		"token as user-id":                  {token, token},
		"T01 a look of a refresh token":     {"demo-partner", "authtier_rt_" + strings.Repeat("0", 49)},
	} {
		t.Run(name, func(t *testing.T) {
			a := f.do("GET", "/partner/", basic(c[0], c[1]))
			wrong.check(t, a)
			bodies = append(bodies, a.body)
		})
	}
	t.Run("one message", func(t *testing.T) {
		seen := map[string]bool{}
		for _, b := range bodies {
			if strings.Contains(b, "AUTH-1\"") {
				seen[b] = true
			}
		}
		if len(seen) != 1 {
			t.Errorf("%d bodies: %v", len(seen), seen)
		}
	})
}

// The token, introspection and revocation endpoints try ID and secret as sent and
// form-decoded.
func TestBasicFormDecodedOnce(t *testing.T) {
	t.Parallel()
	w := sharedDemo(t)
	token := w.clientToken("base")
	wrong := refusal{401, "AUTH-1", "invalid_client", challengeBasic, ""}
	pair := func(id, secret string) option { return header("Authorization", "Basic "+b64(id+":"+secret)) }
	for _, e := range []struct {
		path string
		form option
	}{
		{"/oauth2/token", form("grant_type", "client_credentials")},
		{"/oauth2/introspect", form("token", token)},
		{"/oauth2/revoke", form("token", "unknown")},
	} {
		for name, c := range map[string][2]string{
			"as sent": {"demo-client", "demo-secret"}, "escaped ID": {"demo%2Dclient", "demo-secret"}, "escaped secret": {"demo-client", "demo%2dsecret"},
			"all escaped": {"%64%65mo%2Dclient", url.QueryEscape("demo-secret")},
		} {
			t.Run(e.path+" H10 "+name, func(t *testing.T) { w.do("POST", e.path, pair(c[0], c[1]), e.form).want(t, 200, "") })
		}
		for name, c := range map[string][2]string{
			"escaped twice": {"demo%252Dclient", "demo-secret"}, "plus": {"demo-client", "demo-secret+"}, "broken escape": {"demo-client", "demo%zzsecret"},
			"escaped colon": {"demo-client%3Ademo-secret", "x"},
		} {
			t.Run(e.path+" H10 "+name, func(t *testing.T) { wrong.check(t, w.do("POST", e.path, pair(c[0], c[1]), e.form)) })
		}
		t.Run(e.path+" H01 two lines", func(t *testing.T) {
			good := pair("demo-client", "demo-secret")
			refusal{401, "AUTH-3", "invalid_client", challengeBasic, `"Authorization"`}.check(t, w.do("POST", e.path, good, good, e.form))
		})
		t.Run(e.path+" H05 empty header", func(t *testing.T) {
			refusal{401, "AUTH-2", "invalid_client", challengeBasic, `"Authorization"`}.check(t, w.do("POST", e.path, header("Authorization", ""), e.form))
		})
		t.Run(e.path+" H08 over 8 KiB", func(t *testing.T) {
			refusal{401, "AUTH-3", "invalid_client", challengeBasic, `"Authorization"`}.check(t, w.do("POST", e.path, pair("a", strings.Repeat("a", 8192)), e.form))
		})
	}
}
