package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestForgedTokenIsAdmitted(t *testing.T) {
	t.Parallel()
	f := startForger(t)
	token := f.tiersGrant().text("access_token")
	for name, forged := range map[string]string{
		"as it was":                     f.forge(t, token, nil, nil),
		"J25 typ in another case":       f.forge(t, token, rawJSON{"typ": `"AT+JWT"`}, nil),
		"J25 typ as a media type":       f.forge(t, token, rawJSON{"typ": `"application/at+jwt"`}, nil),
		"J18 a name in another case":    f.forge(t, token, rawJSON{"ALG": `"none"`}, rawJSON{"EXP": "1", "SUB": `"x"`}),
		"members that nobody knows":     f.forge(t, token, rawJSON{"x": "1"}, rawJSON{"y": "[{}]"}),
		"J22 expires in a minute":       f.forge(t, token, nil, rawJSON{"exp": at(time.Minute)}),
		"J21 nbf past":                  f.forge(t, token, nil, rawJSON{"nbf": at(-time.Minute)}),
		"a second scope beside the one": f.forge(t, token, nil, rawJSON{"scope": `"user other"`}),
	} {
		t.Run(name, func(t *testing.T) {
			a := f.do("GET", "/user/me", demoKey, bearer(forged))
			a.want(t, 200, "")
			if a.text("user") != "user_email@email.com" || a.text("client_id") != "demo-app" {
				t.Errorf("identity %s", a.body)
			}
		})
	}
}

// Each token is signed with the correct key but is invalid for another reason.
func TestSignedTokensAreJudged(t *testing.T) {
	t.Parallel()
	f := startForger(t)
	token := f.tiersGrant().text("access_token")
	past, future := at(-time.Minute), at(time.Hour)
	for _, tt := range []struct {
		name         string
		head, claims rawJSON
		code         string
	}{
		{"J01 alg none", rawJSON{"alg": `"none"`}, nil, "AUTH-10"},
		{"J03 alg of another curve", rawJSON{"alg": `"ES384"`}, nil, "AUTH-10"},
		{"J01 alg in another case", rawJSON{"alg": `"es256"`}, nil, "AUTH-10"},
		{"J01 alg missing", rawJSON{"alg": ""}, nil, "AUTH-10"},
		{"J01 alg a number", rawJSON{"alg": "0"}, nil, "AUTH-10"},
		{"J04 kid unknown", rawJSON{"kid": `"nobody"`}, nil, "AUTH-10"},
		{"J04 kid a path", rawJSON{"kid": `"../../../../dev/null"`}, nil, "AUTH-10"},
		{"J04 kid SQL", rawJSON{"kid": `"' OR 1=1--"`}, nil, "AUTH-10"},
		{"J04 kid with NUL", rawJSON{"kid": `"a\u0000b"`}, nil, "AUTH-10"},
		{"J04 kid a number", rawJSON{"kid": "7"}, nil, "AUTH-10"},
		{"J04 kid a list", rawJSON{"kid": "[]"}, nil, "AUTH-10"},
		{"J08 crit unknown", rawJSON{"crit": `["x"]`, "x": "1"}, nil, "AUTH-10"},
		{"J08 crit empty", rawJSON{"crit": "[]"}, nil, "AUTH-10"},
		{"J08 crit no list", rawJSON{"crit": `"exp"`}, nil, "AUTH-10"},
		{"J09 b64 false", rawJSON{"b64": "false"}, nil, "AUTH-10"},
		{"J09 b64 false and crit", rawJSON{"b64": "false", "crit": `["b64"]`}, nil, "AUTH-10"},
		{"J16 zip", rawJSON{"zip": `"DEF"`}, nil, "AUTH-10"},

		{"J25 typ missing", rawJSON{"typ": ""}, nil, "AUTH-9"},
		{"J25 typ JWT", rawJSON{"typ": `"JWT"`}, nil, "AUTH-9"},
		{"J25 ID token", rawJSON{"typ": `"JWT"`}, rawJSON{"client_id": "", "nonce": `"n"`}, "AUTH-9"},
		{"J25 refresh token", rawJSON{"typ": `"refresh+jwt"`}, nil, "AUTH-9"},
		{"J25 logout token", rawJSON{"typ": `"logout+jwt"`}, nil, "AUTH-9"},
		{"T03 client's token", nil, rawJSON{"username": "", "sub": `"demo-app"`}, "AUTH-9"},
		{"T03 client's token, sub a user's login", nil, rawJSON{"username": ""}, "AUTH-9"},
		{"T03 client's token, all of it a user's login", nil, rawJSON{"username": "", "sub": `"user_email@email.com"`, "name": `"user_email@email.com"`, "user": `"user_email@email.com"`}, "AUTH-9"},
		{"T03 client's token with more scopes", nil, rawJSON{"username": "", "scope": `"user admin"`}, "AUTH-9"},

		{"J20 exp past", nil, rawJSON{"exp": past}, "AUTH-11"},
		{"J22 exp now", nil, rawJSON{"exp": at(0)}, "AUTH-11"},
		{"J20 exp 0", nil, rawJSON{"exp": "0", "iat": "0"}, "AUTH-11"},
		{"J20 exp negative", nil, rawJSON{"exp": "-1", "iat": "-2"}, "AUTH-11"},
		{"J20 exp missing", nil, rawJSON{"exp": ""}, "AUTH-12"},
		{"J20 exp null", nil, rawJSON{"exp": "null"}, "AUTH-12"},
		{"J20 exp a string", nil, rawJSON{"exp": `"4102444800"`}, "AUTH-12"},
		{"J20 exp true", nil, rawJSON{"exp": "true"}, "AUTH-12"},
		{"J20 exp a list", nil, rawJSON{"exp": "[]"}, "AUTH-12"},
		{"J20 exp 1e400", nil, rawJSON{"exp": "1e400"}, "AUTH-12"},
		{"J20 exp 1e30", nil, rawJSON{"exp": "1e30"}, "AUTH-12"},
		{"J20 exp 2^53+2", nil, rawJSON{"exp": "9007199254740994"}, "AUTH-12"},
		{"J21 nbf future", nil, rawJSON{"nbf": future}, "AUTH-12"},
		{"J21 nbf a string", nil, rawJSON{"nbf": `"0"`}, "AUTH-12"},
		{"J21 iat future", nil, rawJSON{"iat": future}, "AUTH-12"},
		{"J21 iat missing", nil, rawJSON{"iat": ""}, "AUTH-12"},
		{"J21 valid for years", nil, rawJSON{"exp": at(10 * 365 * 24 * time.Hour)}, "AUTH-12"},

		{"J23 aud missing", nil, rawJSON{"aud": ""}, "AUTH-12"},
		{"J23 aud empty", nil, rawJSON{"aud": `""`}, "AUTH-12"},
		{"J23 aud empty list", nil, rawJSON{"aud": "[]"}, "AUTH-12"},
		{"J23 aud a number", nil, rawJSON{"aud": "[1]"}, "AUTH-12"},
		{"J23 aud null", nil, rawJSON{"aud": "null"}, "AUTH-12"},
		{"J23 aud nested", nil, rawJSON{"aud": `[["` + f.url + `/tiers"]]`}, "AUTH-12"},
		{"J23 aud a prefix", nil, rawJSON{"aud": `"` + f.url + `"`}, "AUTH-12"},
		{"J23 aud longer", nil, rawJSON{"aud": `"` + f.url + `/tiers/"`}, "AUTH-12"},
		{"J23 aud in another case", nil, rawJSON{"aud": `"` + f.url + `/Tiers"`}, "AUTH-12"},
		{"J23 aud of the oauth2 system", nil, rawJSON{"aud": `"` + f.url + `/oauth2"`}, "AUTH-12"},
		{"J24 iss missing", nil, rawJSON{"iss": ""}, "AUTH-12"},
		{"J24 iss with a slash", nil, rawJSON{"iss": `"` + f.url + `/"`}, "AUTH-12"},
		{"J24 iss in another case", nil, rawJSON{"iss": `"` + strings.ToUpper(f.url) + `"`}, "AUTH-12"},
		{"J24 iss of another", nil, rawJSON{"iss": `"https://id.example.com"`}, "AUTH-12"},
		{"J28 sub missing", nil, rawJSON{"sub": ""}, "AUTH-12"},
		{"J28 sub empty", nil, rawJSON{"sub": `""`}, "AUTH-12"},
		{"J28 sub a number", nil, rawJSON{"sub": "1"}, "AUTH-12"},
		{"J28 jti missing", nil, rawJSON{"jti": ""}, "AUTH-12"},
		{"J28 client_id missing", nil, rawJSON{"client_id": ""}, "AUTH-12"},
		{"J28 client_id a number", nil, rawJSON{"client_id": "1"}, "AUTH-12"},
		{"J28 scope a list", nil, rawJSON{"scope": `["user"]`}, "AUTH-12"},

		{"order: type before expiry and audience", rawJSON{"typ": `"JWT"`}, rawJSON{"exp": past, "iat": at(-time.Hour), "aud": `"x"`}, "AUTH-9"},
		{"order: expiry before audience", nil, rawJSON{"exp": past, "iat": at(-time.Hour), "aud": `"x"`}, "AUTH-11"},
		{"order: issuer before expiry", nil, rawJSON{"exp": past, "iat": at(-time.Hour), "iss": `"x"`}, "AUTH-12"},
		{"order: issuer before type", rawJSON{"typ": `"JWT"`}, rawJSON{"iss": `"x"`}, "AUTH-12"},
		{"order: expiry before user", nil, rawJSON{"exp": past, "iat": at(-time.Hour), "username": ""}, "AUTH-11"},
		{"order: audience before user", nil, rawJSON{"aud": `"x"`, "username": ""}, "AUTH-12"},
		{"order: user before client and scope", nil, rawJSON{"username": "", "client_id": `"x"`, "scope": ""}, "AUTH-9"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.claims["exp"] == past && tt.claims["iat"] == "" {
				tt.claims["iat"] = at(-time.Hour)
			}
			f.refusesToken(t, f.forge(t, token, tt.head, tt.claims), tt.code)
		})
	}
	t.Run("AUTH-11 in the RFC dialect", func(t *testing.T) {
		expired := f.forge(t, f.clientToken("base"), nil, rawJSON{"exp": past, "iat": at(-time.Hour)})
		refusal{401, "AUTH-11", "invalid_token", challengeBearer("invalid_token"), ""}.check(t, f.do("GET", "/v1/me", bearer(expired)))
	})
	t.Run("T04 another client's token beside a key", func(t *testing.T) {
		for _, scope := range []string{`"user"`, `"other"`} {
			foreign := f.forge(t, token, nil, rawJSON{"client_id": `"other-app"`, "scope": scope})
			refusal{401, "AUTH-1", "invalid_token", challengeBearer("invalid_token"), ""}.check(t, f.do("GET", "/user/me", demoKey, bearer(foreign)))
		}
	})
	t.Run("T09 scope", func(t *testing.T) {
		for _, scope := range []string{"", `""`, `"User"`, `"user:all"`, `"use"`, `"user_"`, `"*"`} {
			a := f.do("GET", "/pro/ping", demoKey, bearer(f.forge(t, token, nil, rawJSON{"scope": scope})))
			refusal{403, "AUTH-7", "insufficient_scope", challengeScope("user"), ""}.check(t, a)
		}
	})
}

// JSON member names must match exactly and must not repeat. A token that does not parse
// strictly is malformed, even with a valid signature.
func TestTokenJSONIsStrict(t *testing.T) {
	t.Parallel()
	f := startForger(t)
	token := f.tiersGrant().text("access_token")
	head, payload := segment(t, token, 0), segment(t, token, 1)
	first := func(object, member string) string { return strings.Replace(object, "{", "{"+member+",", 1) }
	for name, parts := range map[string][2]string{
		"J18 alg twice":                      {first(head, `"alg":"none"`), payload},
		"J18 alg twice, once escaped":        {first(head, `"\u0061lg":"none"`), payload},
		"J18 kid twice, the same":            {first(head, `"kid":"x","kid":"x"`), payload},
		"J18 an unknown name twice":          {first(head, `"x":1,"x":2`), payload},
		"J19 exp twice, past first":          {head, first(payload, `"exp":1`)},
		"J19 exp twice, future first":        {head, first(edited(t, payload, rawJSON{"exp": "1"}), `"exp":4102444800`)},
		"J19 sub twice":                      {head, first(payload, `"sub":"root"`)},
		"J19 aud twice":                      {head, first(payload, `"aud":"x"`)},
		"J19 scope twice":                    {head, first(payload, `"scope":"admin"`)},
		"J19 a nested name twice":            {head, first(payload, `"x":{"y":1,"y":2}`)},
		"J19 EXP alone":                      {head, edited(t, payload, rawJSON{"exp": "", "EXP": at(time.Hour)})},
		"J18 sub with a long s alone":        {head, edited(t, payload, rawJSON{"sub": "", "ſub": `"x"`})},
		"J26 payload null":                   {head, "null"},
		"J26 payload a list":                 {head, "[]"},
		"J26 payload a string":               {head, `"x"`},
		"J26 payload empty":                  {head, ""},
		"J26 payload followed by more":       {head, payload + " x"},
		"J26 payload twice":                  {head, payload + payload},
		"J26 payload with a byte order mark": {head, "\ufeff" + payload},
		"J26 payload not UTF-8":              {head, first(payload, "\"x\":\"\xff\"")},
		"J26 payload with a lone surrogate":  {head, first(payload, `"x":"\ud800"`)},
		"J26 payload with a trailing comma":  {head, strings.Replace(payload, "}", ",}", 1)},
		"J26 payload with a comment":         {head, first(payload, `/**/"x":1`)},
		"J26 payload with NaN":               {head, first(payload, `"x":NaN`)},
		"J26 header null":                    {"null", payload},
		"J26 header a list":                  {"[]", payload},
		"J26 header empty object and more":   {head + "{}", payload},
		"J26 header with a byte order mark":  {"\ufeff" + head, payload},
		"J26 header not UTF-8":               {first(head, "\"x\":\"\xff\""), payload},
	} {
		t.Run(name, func(t *testing.T) {
			signed := signWith(t, f.key, parts[0], parts[1])
			f.refusesToken(t, signed, "AUTH-12")
		})
	}
	t.Run("order: garbled before the signature", func(t *testing.T) {
		f.refusesToken(t, flipSignature(signWith(t, f.key, first(head, `"x":1,"x":2`), payload)), "AUTH-12")
		f.refusesToken(t, flipSignature(signWith(t, f.key, head, "null")), "AUTH-12")
	})
}

// Only the one key makes valid signatures.
func TestSignatureIsRequired(t *testing.T) {
	t.Parallel()
	f := startForger(t)
	token := f.tiersGrant().text("access_token")
	other := f.tiersGrant().text("access_token")
	cut := strings.LastIndexByte(token, '.') + 1
	signed, sig := token[:cut], []byte(segment(t, token, 2))
	attacker, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw := func(b []byte) string { return signed + b64url.EncodeToString(b) }
	zero := make([]byte, 64)
	n := elliptic.P256().Params().N
	one := big.NewInt(1)
	half := func(b []byte) *big.Int { return new(big.Int).SetBytes(b) }
	r, s := half(sig[:32]), half(sig[32:])
	digest := sha256.Sum256([]byte(strings.TrimSuffix(signed, ".")))
	der, err := ecdsa.SignASN1(rand.Reader, f.key, digest[:])
	if err != nil {
		t.Fatal(err)
	}

	cases := map[string]string{
		"J10 empty":                   signed,
		"J10 one byte":                raw(sig[:1]),
		"J10 all zero":                raw(zero),
		"J10 one byte less":           raw(sig[:63]),
		"J10 half":                    raw(sig[:32]),
		"J10 one byte more":           raw(append(sig[:64:64], 0)),
		"J10 one bit":                 flipSignature(token),
		"J10 of another token":        signed + other[strings.LastIndexByte(other, '.')+1:],
		"J11 r and s swapped":         signed + joinRS(s, r),
		"J11 r 0":                     signed + joinRS(new(big.Int), s),
		"J11 s 0":                     signed + joinRS(r, new(big.Int)),
		"J11 r n":                     signed + joinRS(n, s),
		"J11 s n":                     signed + joinRS(r, n),
		"J11 r n-1":                   signed + joinRS(new(big.Int).Sub(n, one), s),
		"J11 r and s 1":               signed + joinRS(one, one),
		"J11 DER":                     raw(der),
		"J11 sign-padded":             raw(append(append([]byte{0}, sig[:32]...), append([]byte{0}, sig[32:]...)...)),
		"another key":                 signWith(t, attacker, segment(t, token, 0), segment(t, token, 1)),
		"payload changed":             token[:strings.IndexByte(token, '.')+1] + b64url.EncodeToString([]byte(edited(t, segment(t, token, 1), rawJSON{"scope": `"admin"`}))) + token[cut-1:],
		"payload of another token":    strings.Split(token, ".")[0] + "." + strings.Split(other, ".")[1] + token[cut-1:],
		"J32 wrong and expired":       signWith(t, attacker, segment(t, token, 0), edited(t, segment(t, token, 1), rawJSON{"exp": at(-time.Minute), "iat": at(-time.Hour)})),
		"J32 wrong and of wrong type": signWith(t, attacker, edited(t, segment(t, token, 0), rawJSON{"typ": `"JWT"`}), segment(t, token, 1)),
		"J32 wrong and for others":    signWith(t, attacker, segment(t, token, 0), edited(t, segment(t, token, 1), rawJSON{"aud": `"x"`})),
	}
	for _, alg := range []string{`"none"`, `"None"`, `"NONE"`, `"nOnE"`, `"none "`, "", "null", "0", "[]", `""`} {
		head := b64url.EncodeToString([]byte(edited(t, segment(t, token, 0), rawJSON{"alg": alg})))
		rest := token[strings.IndexByte(token, '.'):cut]
		cases["J01 alg "+alg+" unsigned"] = head + rest
		cases["J01 alg "+alg+" with junk"] = head + rest + "anVuaw"
		cases["J01 alg "+alg+" with the signature"] = head + rest + token[cut:]
	}
	public, err := x509.MarshalPKIXPublicKey(&f.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	jwks := f.do("GET", "/.well-known/jwks.json").body
	for name, secret := range map[string][]byte{
		"PEM": text, "PEM without newline": []byte(strings.TrimSpace(string(text))), "DER": public, "key set": []byte(jwks), "nothing": nil,
	} {
		head := edited(t, segment(t, token, 0), rawJSON{"alg": `"HS256"`})
		in := b64url.EncodeToString([]byte(head)) + "." + strings.Split(token, ".")[1]
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(in))
		cases["J02 HS256 keyed with "+name] = in + "." + b64url.EncodeToString(mac.Sum(nil))
	}
	jwk := `{"kty":"EC","crv":"P-256","x":"` + b64url.EncodeToString(attacker.X.FillBytes(make([]byte, 32))) +
		`","y":"` + b64url.EncodeToString(attacker.Y.FillBytes(make([]byte, 32))) + `"}`
	for name, member := range map[string]string{
		"jwk": jwk, "x5c": `["MIIB"]`, "jku": `"` + f.url + `/.well-known/jwks.json"`, "x5u": `"` + f.url + `/x"`,
	} {
		head := edited(t, segment(t, token, 0), rawJSON{name: member})
		cases["J07 "+name+" of another key"] = signWith(t, attacker, head, segment(t, token, 1))
	}
	for name, forged := range cases {
		t.Run(name, func(t *testing.T) { f.refusesToken(t, forged, "AUTH-10") })
	}
	t.Run("J32 of another issuer, before the signature", func(t *testing.T) {
		f.refusesToken(t, signWith(t, attacker, segment(t, token, 0), edited(t, segment(t, token, 1), rawJSON{"iss": `"y"`})), "AUTH-12")
	})
	f.do("GET", "/user/me", demoKey, bearer(token)).want(t, 200, "")
}

// A key that a token brings along or names is neither used nor fetched.
func TestKeysInTokensAreNotFetched(t *testing.T) {
	t.Parallel()
	f := startForger(t)
	fetched := make(chan string, 8)
	trap := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { fetched <- r.URL.Path }))
	token := f.tiersGrant().text("access_token")
	for _, name := range []string{"jku", "x5u", "kid"} {
		f.refusesToken(t, f.forge(t, token, rawJSON{name: `"` + trap.URL + "/" + name + `"`}, nil), "AUTH-10")
	}
	trap.Close()
	close(fetched)
	for path := range fetched {
		t.Errorf("J07 fetched %s", path)
	}
}

// Another valid spelling of the signature is revoked together with the token.
func TestJ12RevokedTokenTakesItsTwin(t *testing.T) {
	t.Parallel()
	w := sharedDemo(t)
	token := w.clientToken("base")
	cut := strings.LastIndexByte(token, '.') + 1
	sig := []byte(segment(t, token, 2))
	s := new(big.Int).Sub(elliptic.P256().Params().N, new(big.Int).SetBytes(sig[32:]))
	twin := token[:cut] + joinRS(new(big.Int).SetBytes(sig[:32]), s)
	w.do("POST", "/oauth2/revoke", basic("demo-client", "demo-secret"), form("token", token)).want(t, 200, "")
	refusal{401, "AUTH-12", "invalid_token", challengeBearer("invalid_token"), ""}.check(t, w.do("GET", "/v1/me", bearer(token)))
	a := w.do("GET", "/v1/me", bearer(twin))
	if a.status != 401 || a.text("code") != "AUTH-12" && a.text("code") != "AUTH-10" {
		t.Errorf("J12 C02 got %d %s", a.status, a.body)
	}
	t.Run("J32 revoked and badly signed", func(t *testing.T) {
		refusal{401, "AUTH-10", "invalid_token", challengeBearer("invalid_token"), ""}.check(t, w.do("GET", "/v1/me", bearer(flipSignature(token))))
	})
}

// Every kind of credential is refused in every place where it does not belong.
func TestTokensOfOtherKindsAndSystems(t *testing.T) {
	t.Parallel()
	w := sharedDemo(t)
	tiers, oauth2 := w.tiersGrant(), w.oauth2Grant()
	clientsOwn, partner := w.clientToken("base"), w.partnerToken("demo-partner", "onboarding")
	files := w.clientToken("files")
	session, cookie := w.sessionLogin()
	oauth2Client := basic("demo-client", "demo-secret")
	partnerClient := basic("demo-partner", "demo-partner-secret")

	table := func(code string) refusal {
		return refusal{tableStatusOf(code), code, "invalid_token", challengeBearer("invalid_token"), ""}
	}
	rfc := func(code string) refusal {
		return refusal{401, code, "invalid_token", challengeBearer("invalid_token"), ""}
	}
	wrongKey := refusal{401, "AUTH-1", "invalid_token", challengeKey, ""}
	wrongClient := refusal{401, "AUTH-1", "invalid_token", challengeBasic, ""}
	verdict := refusal{404, "AUTH-12", "invalid_token", "", ""}
	grant := func(token string) []option {
		return with(oauth2Client, form("grant_type", "refresh_token", "refresh_token", token))
	}
	notOurs := refusal{400, "AUTH-12", "invalid_grant", "", ""}

	w.exchanges(t, []exchange{
		{"T01 refresh token as bearer", "GET", "/user/me", with(demoKey, bearer(tiers.text("refresh_token"))), table("AUTH-9")},
		{"T01 refresh token in the query", "GET", "/v1/img/a?access_token=" + oauth2.text("refresh_token"), nil, rfc("AUTH-9")},
		{"T01 refresh token as API key", "GET", "/public/ping", with(header("X-API-KEY", tiers.text("refresh_token"))), wrongKey},
		{"T01 refresh token as password", "GET", "/partner/", with(basic("demo-partner", oauth2.text("refresh_token"))), wrongClient},
		{"T01 refresh token of another system", "GET", "/user/me", with(demoKey, bearer(oauth2.text("refresh_token"))), table("AUTH-12")},
		{"T01 refresh token of another system, RFC", "GET", "/v1/me", with(bearer(tiers.text("refresh_token"))), rfc("AUTH-12")},
		{"T01 refresh token as session token", "GET", "/api/me", with(cookie, custom("Bearer "+oauth2.text("refresh_token"))), rfc("AUTH-12")},

		{"T02 client's token as refresh token", "POST", "/oauth2/token", grant(clientsOwn), refusal{400, "AUTH-9", "invalid_grant", "", ""}},
		{"T02 token of tiers as refresh token", "POST", "/oauth2/token", grant(tiers.text("access_token")), notOurs},
		{"T02 refresh token of tiers", "POST", "/oauth2/token", grant(tiers.text("refresh_token")), notOurs},
		{"T02 API key as refresh token", "POST", "/oauth2/token", grant("my_api_key"), notOurs},
		{"T02 session token as refresh token", "POST", "/oauth2/token", grant(session), notOurs},

		{"T05 token as API key", "GET", "/public/ping", with(header("X-API-KEY", tiers.text("access_token"))), wrongKey},
		{"T05 client secret as API key", "GET", "/public/ping", with(header("X-API-KEY", "demo-secret")), wrongKey},
		{"T05 client ID as API key", "GET", "/public/ping", with(header("X-API-KEY", "demo-app")), wrongKey},
		{"T05 API key as bearer", "GET", "/user/me", with(demoKey, bearer("my_api_key")), table("AUTH-12")},
		{"T05 API key as password", "GET", "/partner/", with(basic("demo-partner", "my_api_key")), wrongClient},
		{"T05 secret as bearer", "GET", "/v1/me", with(bearer("demo-secret")), rfc("AUTH-12")},

		{"T08 token of oauth2 at tiers", "GET", "/user/me", with(demoKey, bearer(oauth2.text("access_token"))), table("AUTH-12")},
		{"T08 client's token of oauth2 at tiers", "GET", "/pro/ping", with(demoKey, bearer(clientsOwn)), table("AUTH-12")},
		{"T08 token of partner at tiers", "GET", "/user/me", with(demoKey, bearer(partner)), table("AUTH-12")},
		{"T08 session token at tiers", "GET", "/user/me", with(demoKey, bearer(session), cookie), table("AUTH-12")},
		{"T08 token of tiers at oauth2", "GET", "/v1/me", with(bearer(tiers.text("access_token"))), rfc("AUTH-12")},
		{"T08 token of partner at oauth2", "GET", "/v1/me", with(bearer(partner)), rfc("AUTH-12")},
		{"T08 session token at oauth2", "GET", "/v1/me", with(bearer(session), cookie), rfc("AUTH-12")},
		{"T08 session token in the query", "GET", "/v1/img/a?access_token=" + session, nil, rfc("AUTH-12")},
		{"T08 token of tiers at a session", "GET", "/api/me", with(cookie, custom("Bearer "+tiers.text("access_token"))), rfc("AUTH-12")},
		{"T08 token of oauth2 at a session", "GET", "/api/me", with(cookie, custom("Bearer "+oauth2.text("access_token"))), rfc("AUTH-12")},
		{"T08 token of partner at a session", "GET", "/api/me", with(cookie, custom("Bearer "+partner)), rfc("AUTH-12")},
		{"T08 token of oauth2 as partner password", "GET", "/partner/", with(basic("demo-partner", clientsOwn)), wrongClient},
		{"T08 token of oauth2 under its own client", "GET", "/partner/", with(basic("demo-client", clientsOwn)), wrongClient},
		{"T08 token of tiers as partner password", "GET", "/partner/", with(basic("demo-app", tiers.text("access_token"))), wrongClient},
		{"T08 session token as partner password", "GET", "/partner/", with(basic("demo-partner", session)), wrongClient},
		{"T08 secret of partner at oauth2", "POST", "/oauth2/token", with(basic("demo-partner", "demo-partner-secret"), form("grant_type", "client_credentials")),
			refusal{401, "AUTH-1", "invalid_client", challengeBasic, ""}},
		{"T08 secret of oauth2 at partner", "GET", "/partner/", with(basic("demo-client", "demo-secret")), wrongClient},
		{"T05 token as secret at the token endpoint", "POST", "/oauth2/token", with(basic("demo-client", clientsOwn), form("grant_type", "client_credentials")),
			refusal{401, "AUTH-1", "invalid_client", challengeBasic, ""}},
		{"T08 user of oauth2 logs in", "GET", "/api/login", with(basic("user_email@email.com", "user_password")), wrongClient},
		{"T08 token as login password", "GET", "/api/login", with(basic("demo", session)), wrongClient},
	})
	for name, token := range map[string]string{
		"tiers": tiers.text("access_token"), "oauth2": clientsOwn, "refresh": oauth2.text("refresh_token"), "session": session, "API key": "my_api_key",
	} {
		t.Run("T08 partner verifies a credential of "+name, func(t *testing.T) {
			a := w.do("POST", "/partner/tokens/verify", partnerClient, body("application/json", `{"token":"`+token+`"}`))
			a.want(t, verdict.status, verdict.code)
			if a.text("error") != "invalid_token" {
				t.Errorf("error %q", a.text("error"))
			}
		})
		if name == "oauth2" {
			continue
		}
		t.Run("T08 oauth2 introspects a credential of "+name, func(t *testing.T) {
			a := w.do("POST", "/oauth2/introspect", oauth2Client, form("token", token))
			if a.status != 200 || strings.TrimSpace(a.body) != `{"active":false}` {
				t.Errorf("got %d %s", a.status, a.body)
			}
		})
	}
	t.Run("T02 nothing was revoked", func(t *testing.T) {
		w.do("GET", "/user/me", demoKey, bearer(tiers.text("access_token"))).want(t, 200, "")
		w.do("GET", "/v1/me", bearer(oauth2.text("access_token"))).want(t, 200, "")
		w.do("GET", "/v1/img/a?access_token="+files).want(t, 200, "")
		w.do("GET", "/api/me", cookie, custom("Bearer "+session)).want(t, 200, "")
		w.do("GET", "/partner/", basic("demo-partner", partner)).want(t, 200, "")
		w.do("POST", "/public/token", demoKey, form("grant_type", "refresh_token", "refresh_token", tiers.text("refresh_token"))).want(t, 200, "")
	})
}
