package idp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
)

// causeOf returns the cause and the code with which v refuses the token at testTime.
func causeOf(t testing.TB, v middleware.Validator, token string) (string, errorsx.Code) {
	t.Helper()
	c := middleware.Credential{Scheme: middleware.SchemeBearer, Secret: token}
	_, err := v.Validate(t.Context(), c.At(testTime))
	if err == nil {
		return "", 0
	}
	e := errorsx.From(err)
	if e.Err == nil {
		t.Errorf("refused with %v and no cause", e.Code)
		return "", e.Code
	}
	return e.Err.Error(), e.Code
}

// TestCauses tests that a cause names the claim, the expectation and, for a few
// claims, the value.
func TestCauses(t *testing.T) {
	one := own(t)
	several := verifier(t, ownOf(allKeys(t), testIssuer), ownOf(allKeys(t), otherIssuer))
	hs := func(head, pay members) string { return sign(t, "HS256", header("HS256", head), payload(pay)) }
	// Before the first token is accepted, causes say so, see TestFirstRefusal.
	for _, iss := range []string{testIssuer, otherIssuer} {
		judge(t, one, hs(nil, members{"iss": iss}), testTime)
	}
	const now = "2030-03-17T17:46:40Z"
	long := strings.Repeat("x", 63) + "éyz"

	for _, tt := range []struct {
		name, token string
		v           middleware.Validator
		want        string
	}{
		{"iss", hs(nil, members{"iss": testIssuer + "/"}), one, `claim "iss": expected "https://id.example", found "https://id.example/" (see Issuers); only the spelling differs: scheme, letter case or the slash at the end`},
		{"no iss", hs(nil, members{"iss": nil}), one, `claim "iss": expected "https://id.example", found nothing (see Issuers)`},
		{"iss of none", hs(nil, members{"iss": "x\n\x1b"}), several, `claim "iss": expected one of ["https://id.example" "https://other.example"], found "x\n\x1b" (see Issuers)`},
		{"iss a number", hs(nil, members{"iss": 7}), several, `claim "iss": expected one of ["https://id.example" "https://other.example"], found a number (see Issuers)`},
		{"long iss", hs(nil, members{"iss": long}), one, `claim "iss": expected "https://id.example", found "` + long[:63] + `"... (see Issuers)`},
		{"aud", hs(nil, members{"aud": "x"}), one, `claim "aud": expected "https://api.example", found "x" (see Audience)`},
		{"auds", hs(nil, members{"aud": []string{"x", "y"}}), one, `claim "aud": expected "https://api.example", found ["x" "y"] (see Audience)`},
		{"long auds", hs(nil, members{"aud": []string{"x", long, "y"}}), one, `claim "aud": expected "https://api.example", found ["x" "` + long[:63] + `"]... (see Audience)`},
		{"no aud", hs(nil, members{"aud": nil}), one, `claim "aud": expected a string or a list of strings, none of them empty or with a space, found nothing`},
		{"aud of a number", hs(nil, members{"aud": []any{"x", 7}}), one, `claim "aud": expected a string or a list of strings, none of them empty or with a space, found a list`},
		{"two clients", hs(nil, members{"azp": "other"}), one, `claim "azp": expected the client that client_id names, found "other" (see Client)`},
		{"no client", hs(nil, members{"client_id": nil}), one, `claim "client_id": expected a string, found nothing`},
		{"client empty", hs(nil, members{"client_id": ""}), one, `claim "client_id": expected a string that is not empty, found ""`},
		{"sub empty", hs(nil, members{"sub": ""}), one, `claim "sub": expected a string that is not empty, found a string`},
		{"sub with NUL", hs(nil, members{"sub": "a\x00"}), one, `claim "sub": expected a string without control characters, found a string`},
		{"sub true", hs(nil, members{"sub": true}), one, `claim "sub": expected a string, found true`},
		{"jti an object", hs(nil, members{"jti": members{"a": 1}}), one, `claim "jti": expected a string, found an object`},
		{"username a list", hs(nil, members{"username": []string{"a"}}), one, `claim "username": expected a string, found a list`},
		{"scope", hs(nil, members{"scope": "a\tb"}), one, `claim "scope": expected scopes separated by single spaces, found a string`},
		{"exp", hs(nil, members{"exp": "4102444800"}), one, `claim "exp": expected a number of seconds within 2^53, found a string`},
		{"expired", hs(nil, members{"exp": testTime.Unix()}), one, `claim "exp": expected a time after ` + now + `, found a number`},
		{"expired elsewhere", hs(nil, members{"exp": testTime.Unix(), "aud": "x"}), one,
			`claim "exp": expected a time after ` + now + `, found a number; claim "aud": expected "https://api.example", found "x" (see Audience)`},
		{"nbf", hs(nil, members{"nbf": testTime.Unix() + 1}), one, `claim "nbf": expected a time not after ` + now + `, found a number (see Leeway)`},
		{"iat", hs(nil, members{"iat": testTime.Unix() + 1}), one, `claim "iat": expected a time not after ` + now + `, found a number (see Leeway)`},
		{"iat after exp", hs(nil, members{"iat": testTime.Unix() + 7200}), one, `claim "iat": expected a time not after exp, found a number`},
		{"no iat", hs(nil, members{"iat": nil}), one, `claim "iat": expected a number of seconds within 2^53, found nothing`},
		{"two years", hs(nil, members{"exp": testTime.AddDate(2, 0, 0).Unix()}), one, `claim "exp": expected a time at most 8784h0m0s after the token was issued, found a number (see MaxLifetime)`},
		{"typ", hs(members{"typ": "JWT"}, nil), one, `header member "typ": expected "at+jwt", found "JWT" (see Types)`},
		{"no typ", hs(members{"typ": nil}, nil), one, `header member "typ": expected "at+jwt", found nothing (see Types)`},
		{"alg", hs(members{"alg": "none"}, nil), one,
			`header member "alg": expected one of ["ES256" "ES384" "ES512" "EdDSA" "HS256" "HS384" "HS512" "PS256" "PS384" "PS512" "RS256" "RS384" "RS512"], found "none"`},
		{"alg a number", hs(members{"alg": 0}, nil), one, `header member "alg": expected a string, found a number`},
		{"kid", hs(members{"kid": "x"}, nil), one, `header member "kid": expected the ID of a known HS256 key, found "x" (see Keys); idp: no such key`},
		{"kid empty", hs(members{"kid": ""}, nil), one, `header member "kid": expected a string that is not empty, found ""`},
		{"jku", hs(members{"jku": "https://evil.example"}, nil), one, `header member "jku": expected no such member, or one beside the ID of a known key, found a string`},
		{"crit", hs(members{"crit": []string{"x"}}, nil), one, `header member "crit": expected no such member, found a list`},
		{"signature", forge(t, payload(nil)), one, `header member "kid": expected the ID of the HS256 key that made the signature, found "HS256"; `},
		{"claim twice", sign(t, "HS256", header("HS256", nil), `{"sub":1,"sub":2}`), one, `payload: expected strict JSON, found a repeated name at byte 9`},
		{"no JSON", sign(t, "HS256", header("HS256", nil), `{"sub":}`), one, `payload: expected strict JSON, found a fault at byte 7`},
		{"list", sign(t, "HS256", header("HS256", nil), `[]`), one, `payload: expected a JSON object`},
		{"header", sign(t, "HS256", `{"alg":}`, payload(nil)), one, `header: expected strict JSON, found a fault at byte 7`},
		{"opaque", "abc", one, `token: expected three segments, separated by dots`},
		{"padding", good(t, "HS256") + "=", one, `token: expected base64url without padding in each segment`},
		{"64 KiB", strings.Repeat("x", 64<<10+1), one, `token: longer than 65536 bytes`},
	} {
		cause, code := causeOf(t, tt.v, tt.token)
		if ok := cause == tt.want || strings.HasSuffix(tt.want, "; ") && strings.HasPrefix(cause, tt.want); !ok || code == 0 || code == errorsx.Internal {
			t.Errorf("%s: got %v %s\nwant %s", tt.name, code, cause, tt.want)
		}
	}
}

// TestFirstRefusal tests that the cause of a refusal says that no token was accepted yet,
// which a wrong preset looks like, and no longer after the first accepted one.
func TestFirstRefusal(t *testing.T) {
	v := verifier(t, plain(t, "EdDSA"))
	foreign := sign(t, "EdDSA", headerOf(nil), claimsOf(members{"aud": "x"}))
	for _, want := range []bool{true, true, false} {
		if !want {
			if _, err := v.Validate(t.Context(), token(sign(t, "EdDSA", headerOf(nil), claimsOf(nil)))); err != nil {
				t.Fatal(err)
			}
		}
		_, err := v.Validate(t.Context(), token(foreign))
		if err == nil || !strings.Contains(err.Error(), "(see Audience)") || strings.Contains(err.Error(), "was accepted yet") != want {
			t.Errorf("got %v, want a hint: %t", err, want)
		}
	}
}

// hidden is a text that no cause may contain.
const hidden = "m4rked"

// faults are changes of header and payload for which a token is refused.
var faults = []struct{ head, pay members }{
	{}, // refused only if the marked claim is at fault
	{nil, members{"iss": "x"}}, {nil, members{"aud": "x"}}, {nil, members{"aud": 7}}, {nil, members{"azp": "x"}}, {nil, members{"client_id": 7}},
	{nil, members{"exp": 1, "iat": 1}}, {nil, members{"exp": "x"}}, {nil, members{"nbf": 1 << 40}}, {nil, members{"iat": 1 << 40}},
	{nil, members{"scope": 7}}, {nil, members{"jti": nil}}, {nil, members{"sub": ""}}, {nil, members{"username": ""}},
	{members{"typ": "JWT"}, nil}, {members{"alg": "none"}, nil}, {members{"kid": "x"}, nil}, {members{"jwk": members{"k": hidden}}, nil}, {members{"kid": []string{hidden}}, nil},
}

// checkMarked adds marked members to tokens with every fault. No cause of a refusal
// may contain the mark.
func checkMarked(t testing.TB, validators []middleware.Validator, marked members) {
	t.Helper()
	for _, f := range faults {
		p := payload(f.pay)
		h := header("HS256", f.head)
		for k, v := range marked {
			p[k], h["x-"+k] = v, v
		}
		signed := b64(h) + "." + b64(p)
		tokens := []string{sign(t, "HS256", h, p), signed + "." + b64("forged"), forge(t, p), signed + "!." + b64(hidden)}
		// These payloads are malformed after the marked members.
		if raw, err := json.Marshal(p); err == nil {
			tokens = append(tokens, sign(t, "HS256", h, string(raw[:len(raw)-1])+`,"z":1,"z":2}`), sign(t, "HS256", h, string(raw[:len(raw)-1])))
		}

		for _, v := range validators {
			for _, token := range tokens {
				_, err := v.Validate(t.Context(), middleware.Credential{Scheme: middleware.SchemeBearer, Secret: token}.At(testTime))
				if err != nil && strings.Contains(err.Error(), hidden) {
					t.Errorf("%v %v: %v", f, marked, err)
				}
			}
		}
	}
}

// markedValidators returns validators of JWTs that read the user from several claims.
func markedValidators(t testing.TB) []middleware.Validator {
	marked := func(user string) middleware.Validator {
		return verifier(t, idp.Config{Issuers: []string{testIssuer}, Audience: []string{testAudience}, Keys: allKeys(t), User: user})
	}
	return []middleware.Validator{
		own(t), marked("sub"), marked("email"),
		verifier(t, ownOf(allKeys(t), testIssuer), ownOf(allKeys(t), otherIssuer)),
	}
}

// TestNoOtherClaimInCauses tests that a cause shows only the values of iss, aud,
// client_id, azp, typ, alg and kid.
func TestNoOtherClaimInCauses(t *testing.T) {
	validators := markedValidators(t)
	for _, name := range []string{"sub", "username", "email", "jti", "scope", "exp", "nbf", "iat", "cnf", "token_type", "token_use", hidden} {
		for _, value := range []any{hidden, "\x00" + hidden, " " + hidden, []string{hidden}, members{hidden: hidden}, []any{7, members{"a": hidden}}} {
			checkMarked(t, validators, members{name: value})
		}
	}
}

// FuzzNoOtherClaimInCauses is the same test with any claim and value.
func FuzzNoOtherClaimInCauses(f *testing.F) {
	f.Add("sub", "", "")
	f.Add("scope", " ", "\x00")
	f.Add("x", "\xff", `"`)
	validators := markedValidators(f)
	f.Fuzz(func(t *testing.T, name, before, behind string) {
		if slices.Contains([]string{"iss", "aud", "client_id", "azp", "typ", "alg", "kid"}, name) {
			name += "x" // the claim as such may be named, with its value
		}
		checkMarked(t, validators, members{name: before + hidden + behind})
		checkMarked(t, validators, members{name + hidden: before})
	})
}

// TestNoCredentialInLog refuses credentials of all kinds and logs at debug level. The
// log must contain the cause, but no part of a credential.
func TestNoCredentialInLog(t *testing.T) {
	var log bytes.Buffer
	ew := &errorsx.Writer{Log: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	s := &endpoint{}
	jwts := own(t)
	bearer := func(v middleware.Validator, cfg middleware.BearerConfig) middleware.Wrapper {
		return middleware.Chain(middleware.Errors(ew), middleware.Bearer(v, &cfg))
	}
	unsure := middleware.ValidatorFunc(func(_ context.Context, c middleware.Credential) (*middleware.Identity, error) {
		return nil, &errorsx.Error{Code: errorsx.CredentialsIncorrect, Err: errors.New("not known")}
	})
	soon := time.Now().Unix() + 3600
	sign := func(head, pay members) string {
		return sign(t, "HS256", header("HS256", head), payload(changed(members{"iat": soon - 3600, "exp": soon}, pay)))
	}

	for name, tt := range map[string]struct {
		wrap                  middleware.Wrapper
		header, value, target string
		secrets               []string
	}{
		"expired":    {bearer(jwts, middleware.BearerConfig{}), "Authorization", "Bearer " + sign(nil, members{"exp": soon - 3601, "iat": 1}), "/", nil},
		"issuer":     {bearer(jwts, middleware.BearerConfig{}), "Authorization", "Bearer " + sign(nil, members{"iss": "x"}), "/", nil},
		"signature":  {bearer(jwts, middleware.BearerConfig{}), "Authorization", "Bearer " + forge(t, payload(nil)), "/", nil},
		"kid":        {bearer(jwts, middleware.BearerConfig{}), "Authorization", "Bearer " + sign(members{"kid": "x"}, nil), "/", nil},
		"alg":        {bearer(jwts, middleware.BearerConfig{}), "Authorization", "Bearer " + sign(members{"alg": "x"}, nil), "/", nil},
		"jwk":        {bearer(jwts, middleware.BearerConfig{}), "Authorization", "Bearer " + sign(members{"jwk": "private-key"}, nil), "/", []string{"private-key"}},
		"garbled":    {bearer(jwts, middleware.BearerConfig{}), "Authorization", "Bearer opaque-token-of-somebody", "/", nil},
		"in a query": {bearer(jwts, middleware.BearerConfig{QuerySafe: []string{"a"}}), "X", "", "/?access_token=opaque-token-of-somebody", []string{"opaque-token-of-somebody"}},
		"inactive":   {bearer(introspection(t, s), middleware.BearerConfig{}), "Authorization", "Bearer opaque-token-of-somebody", "/", nil},
		"password":   {middleware.Chain(middleware.Errors(ew), middleware.Basic(unsure, nil)), "Authorization", "Basic YXBwOnBhc3N3b3Jk", "/", []string{"password"}},
		"API key":    {middleware.Chain(middleware.Errors(ew), middleware.APIKey(unsure, nil)), "X-API-KEY", "key-of-somebody", "/", nil},
	} {
		log.Reset()
		s.answers(200, `{"active":false}`)
		r := httptest.NewRequest("GET", tt.target, nil)
		r.Header.Set(tt.header, tt.value)
		rec := httptest.NewRecorder()
		tt.wrap(http.NotFoundHandler()).ServeHTTP(rec, r)

		var line struct {
			Cause string
			ID    string `json:"request_id"`
		}
		if err := json.Unmarshal(log.Bytes(), &line); err != nil || line.Cause == "" || line.ID == "" {
			t.Errorf("%s: answered %s, logged %s: %v", name, rec.Body, log.String(), err)
			continue
		}
		if strings.Contains(rec.Body.String(), line.ID) || strings.Contains(rec.Body.String(), "expected") {
			t.Errorf("%s: the client reads the cause: %s", name, rec.Body)
		}
		_, secret, _ := strings.Cut(tt.value, " ")
		for _, part := range append(append(strings.Split(secret, "."), tt.secrets...), tt.value) {
			if len(part) > 4 && strings.Contains(log.String(), part) {
				t.Errorf("%s: %q is logged: %s", name, part, log.String())
			}
		}
	}
}
