package idp_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
)

const (
	testIssuer   = "https://id.example"
	testAudience = "https://api.example"
)

// testTime is the time at which the tests' tokens are issued.
var testTime = time.Unix(1_900_000_000, 0)

// signers holds one private key per algorithm, made once.
var signers = sync.OnceValue(func() map[string]crypto.PrivateKey {
	ec, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ec384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	rs, _ := rsa.GenerateKey(rand.Reader, 2048)
	return map[string]crypto.PrivateKey{
		"ES256": ec, "ES384": ec384, "EdDSA": ed, "RS256": rs, "HS256": []byte(strings.Repeat("key-", 8)),
	}
})

func public(k crypto.PrivateKey) crypto.PublicKey {
	if s, ok := k.(interface{ Public() crypto.PublicKey }); ok {
		return s.Public()
	}
	return k
}

// allKeys returns the keys of signers, each under the name of its algorithm.
func allKeys(t testing.TB) idp.Keys {
	t.Helper()
	var keys []idp.Key
	for alg, k := range signers() {
		keys = append(keys, idp.Key{ID: alg, Alg: alg, Public: public(k)})
	}
	ks, err := idp.StaticKeys(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return ks
}

// own returns a verifier of the tokens of an issuer of this suite, with the keys of
// signers.
func own(t testing.TB) *idp.Verifier {
	t.Helper()
	cfg := idp.Own(testIssuer, testAudience)
	cfg.Keys = allKeys(t)
	return verifier(t, cfg)
}

type members map[string]any

// payload returns the payload of a good token, changed by the given pairs. The value
// nil removes a claim.
func payload(changes members) members {
	p := members{
		"iss": testIssuer, "aud": testAudience, "sub": "ada", "client_id": "app", "jti": "1",
		"iat": testTime.Unix(), "exp": testTime.Unix() + 3600, "scope": "a b",
	}
	return changed(p, changes)
}

func changed(p, changes members) members {
	for k, v := range changes {
		if v == nil {
			delete(p, k)
		} else {
			p[k] = v
		}
	}
	return p
}

func b64(v any) string {
	b, ok := v.([]byte)
	if s, isString := v.(string); isString {
		b, ok = []byte(s), true
	}
	if !ok {
		b, _ = json.Marshal(v)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// sign signs a token. Its header and payload may be any JSON, as text or as a value.
func sign(t testing.TB, alg string, header, payload any) string {
	t.Helper()
	return signAs(t, alg, alg, header, payload)
}

// signAs signs by one algorithm with the key of another.
func signAs(t testing.TB, alg, key string, header, payload any) string {
	t.Helper()
	signed := b64(header) + "." + b64(payload)
	sig, err := jwt.GetSigningMethod(alg).Sign(signed, signers()[key])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + b64(sig)
}

func header(alg string, changes members) members {
	return changed(members{"alg": alg, "kid": alg, "typ": "at+jwt"}, changes)
}

func good(t testing.TB, alg string) string { return sign(t, alg, header(alg, nil), payload(nil)) }

// judge returns the identity, or the code of the refusal.
func judge(t testing.TB, v middleware.Validator, token string, at time.Time) (*middleware.Identity, errorsx.Code) {
	t.Helper()
	c := middleware.Credential{Scheme: middleware.SchemeBearer, Secret: token}
	id, err := v.Validate(t.Context(), c.At(at))
	if err == nil {
		return id, 0
	}
	if id != nil {
		t.Errorf("an identity beside the error %v", err)
	}
	return nil, errorsx.From(err).Code
}

func TestOwnAccepts(t *testing.T) {
	v := own(t)
	for alg := range signers() {
		id, code := judge(t, v, good(t, alg), testTime)
		if code != 0 {
			t.Errorf("%s: refused with %v", alg, code)
			continue
		}
		if id.Client != "app" || id.User != "" || id.Scopes != "a b" || id.TokenID != "1" || !strings.HasPrefix(id.SigningKeyID, alg+" ["+alg+"] ") ||
			id.Issuer != testIssuer || id.Audience != testAudience || !id.Expires.Equal(testTime.Add(time.Hour)) {
			t.Errorf("%s: got %+v", alg, id)
		}
		var claims struct{ Sub string }
		if err := id.DecodeClaims(&claims); err != nil || claims.Sub != "" {
			t.Errorf("%s: members matched without regard to case: %+v, %v", alg, claims, err)
		}
	}
	unbound := sign(t, "HS256", header("HS256", nil), payload(members{"cnf": json.RawMessage("null")}))
	if _, code := judge(t, v, unbound, testTime); code != 0 {
		t.Errorf("cnf null: got %v", code)
	}
	user := sign(t, "HS256", header("HS256", nil), payload(members{"username": "ada"}))
	if id, code := judge(t, v, user, testTime); code != 0 || id.User != "ada" {
		t.Errorf("a user's token: got %+v, %v", id, code)
	}
}

// refusals returns tokens by the code with which they are refused. Their names are
// the attacks.
func TestOwnRefuses(t *testing.T) {
	v := own(t)
	hs := func(head, pay members) string { return sign(t, "HS256", header("HS256", head), payload(pay)) }
	es := good(t, "ES256")
	cut := strings.LastIndex(es, ".") + 1
	esSigned, esSig := es[:cut], mustDecode(t, es[cut:])
	rsPub := public(signers()["RS256"]).(*rsa.PublicKey)
	confused := func(key []byte) string {
		signed := b64(header("RS256", members{"alg": "HS256"})) + "." + b64(payload(nil))
		sig, _ := jwt.SigningMethodHS256.Sign(signed, key)
		return signed + "." + b64(sig)
	}
	rawPayload := func(p string) string { return sign(t, "HS256", header("HS256", nil), p) }
	const all = `"iss":"https://id.example","aud":"https://api.example","sub":"ada","client_id":"app","jti":"1","iat":1900000000`
	unsigned := func(alg any) string {
		return b64(members{"alg": alg, "kid": "HS256", "typ": "at+jwt"}) + "." + b64(payload(nil)) + "."
	}

	for _, tt := range []struct {
		name, token string
		code        errorsx.Code
	}{
		{"J01 none", unsigned("none"), errorsx.BadSignature},
		{"J01 None", unsigned("None"), errorsx.BadSignature},
		{"J01 nOnE with a signature", unsigned("nOnE") + "AAAA", errorsx.BadSignature},
		{"J01 none and a blank", unsigned("none "), errorsx.BadSignature},
		{"J01 alg 0", unsigned(0), errorsx.BadSignature},
		{"J01 alg []", unsigned([]string{}), errorsx.BadSignature},
		{"J01 alg empty", unsigned(""), errorsx.BadSignature},
		{"J01 alg null", b64(`{"alg":null,"kid":"HS256"}`) + "." + b64(payload(nil)) + ".", errorsx.BadSignature},
		{"J01 alg missing", b64(`{"kid":"HS256"}`) + "." + b64(payload(nil)) + ".", errorsx.BadSignature},
		{"bound to a key", hs(nil, members{"cnf": members{"jkt": "x"}}), errorsx.UnknownToken},
		{"bound by TLS", hs(nil, members{"cnf": members{"x5t#S256": "x"}}), errorsx.UnknownToken},
		{"bound, garbled", hs(nil, members{"cnf": []int{}}), errorsx.UnknownToken},
		{"J02 HMAC keyed with the modulus", confused(rsPub.N.Bytes()), errorsx.BadSignature},
		{"J03 another algorithm than the key's", sign(t, "HS256", header("HS256", members{"kid": "ES256"}), payload(nil)), errorsx.BadSignature},
		{"J03 ES384 under the ES256 key", sign(t, "ES384", header("ES384", members{"kid": "ES256"}), payload(nil)), errorsx.BadSignature},
		{"J03 RS512 by the RS256 key", signAs(t, "RS512", "RS256", header("RS512", members{"kid": "RS256"}), payload(nil)), errorsx.BadSignature},
		{"J03 RS384 by the RS256 key", signAs(t, "RS384", "RS256", header("RS384", members{"kid": "RS256"}), payload(nil)), errorsx.BadSignature},
		{"J03 HS512 by the HS256 key", signAs(t, "HS512", "HS256", header("HS512", members{"kid": "HS256"}), payload(nil)), errorsx.BadSignature},
		{"J03 PS256", hs(members{"alg": "PS256", "kid": "RS256"}, nil), errorsx.BadSignature},
		{"J04 kid of a file", hs(members{"kid": "../../../dev/null"}, nil), errorsx.BadSignature},
		{"J04 kid of SQL", hs(members{"kid": "' OR 1=1--"}, nil), errorsx.BadSignature},
		{"J04 kid with NUL", hs(members{"kid": "HS256\x00"}, nil), errorsx.BadSignature},
		{"J04 kid 7", hs(members{"kid": 7}, nil), errorsx.BadSignature},
		{"J04 kid empty", hs(members{"kid": ""}, nil), errorsx.BadSignature},
		{"J04 kid absent, several keys", hs(members{"kid": nil}, nil), errorsx.BadSignature},
		{"J07 jku", hs(members{"jku": "https://evil.example"}, nil), errorsx.BadSignature},
		{"J07 x5u", hs(members{"x5u": "https://evil.example"}, nil), errorsx.BadSignature},
		{"J07 jwk", hs(members{"jwk": members{"kty": "oct"}}, nil), errorsx.BadSignature},
		{"J07 x5c", hs(members{"x5c": []string{"x"}}, nil), errorsx.BadSignature},
		{"J08 crit", hs(members{"crit": []string{"x"}}, nil), errorsx.BadSignature},
		{"J08 crit empty", hs(members{"crit": []string{}}, nil), errorsx.BadSignature},
		{"J09 b64", hs(members{"b64": false}, nil), errorsx.BadSignature},
		{"J09 b64 true", hs(members{"b64": true}, nil), errorsx.BadSignature},
		{"J09 b64 and crit", hs(members{"b64": false, "crit": []string{"b64"}}, nil), errorsx.BadSignature},
		{"J16 zip", hs(members{"zip": "DEF"}, nil), errorsx.BadSignature},
		{"J16 PBES2 of two thousand million rounds", hs(members{"alg": "PBES2-HS256+A128KW", "p2c": 1 << 31, "p2s": "AAAA"}, nil), errorsx.BadSignature},
		{"J16 enc", hs(members{"enc": "A128GCM"}, nil), errorsx.BadSignature},
		{"J10 signature empty", esSigned, errorsx.BadSignature},
		{"J10 signature of one byte", esSigned + b64([]byte{1}), errorsx.BadSignature},
		{"J10 signature all zero", esSigned + b64(make([]byte, 64)), errorsx.BadSignature},
		{"J10 signature cut", esSigned + b64(esSig[:63]), errorsx.BadSignature},
		{"J10 signature with a byte more", esSigned + b64(append(esSig[:64:64], 0)), errorsx.BadSignature},
		{"J10 signature of another token", sign(t, "ES256", header("ES256", nil), payload(members{"jti": "2"}))[:cut] + es[cut:], errorsx.BadSignature},
		{"J11 r = 0", esSigned + b64(append(make([]byte, 32), esSig[32:]...)), errorsx.BadSignature},
		{"J11 s = n", esSigned + b64(append(esSig[:32:32], elliptic.P256().Params().N.Bytes()...)), errorsx.BadSignature},
		{"J13 unused bits of the signature", twin(es), errorsx.UnknownToken},
		{"J13 unused bits of the header", strings.Replace(es, ".", "=.", 1), errorsx.UnknownToken},
		{"J14 padding", es + "==", errorsx.UnknownToken},
		{"J14 standard alphabet", es[:len(es)-2] + "+/", errorsx.UnknownToken},
		{"J14 line break inside", es[:10] + "\n" + es[10:], errorsx.UnknownToken},
		{"J14 line break at the end", es + "\n", errorsx.UnknownToken},
		{"J14 carriage return", es[:cut+5] + "\r" + es[cut+5:], errorsx.UnknownToken},
		{"J14 blank", " " + es, errorsx.UnknownToken},
		{"J15 no dot", "abc", errorsx.UnknownToken},
		{"J15 one dot", "abc.def", errorsx.UnknownToken},
		{"J15 three dots", es + ".", errorsx.UnknownToken},
		{"J16 five parts", es + ".a.b", errorsx.UnknownToken},
		{"J15 dots alone", strings.Repeat(".", 8<<10), errorsx.UnknownToken},
		{"J27 over 64 KiB", good(t, "HS256") + strings.Repeat("A", 64<<10), errorsx.UnknownToken},
		{"J17 JSON serialization", `{"payload":"` + b64(payload(nil)) + `","signatures":[]}`, errorsx.UnknownToken},
		{"J18 alg twice", sign(t, "HS256", `{"alg":"HS256","alg":"HS256","kid":"HS256","typ":"at+jwt"}`, payload(nil)), errorsx.UnknownToken},
		{"J18 ALG", sign(t, "HS256", `{"ALG":"HS256","kid":"HS256","typ":"at+jwt"}`, payload(nil)), errorsx.BadSignature},
		{"J18 header null", sign(t, "HS256", `null`, payload(nil)), errorsx.UnknownToken},
		{"J18 header a list", sign(t, "HS256", `[]`, payload(nil)), errorsx.UnknownToken},
		{"J19 exp twice", rawPayload(`{` + all + `,"exp":1,"exp":1900003600}`), errorsx.UnknownToken},
		{"J19 exp twice, the other order", rawPayload(`{` + all + `,"exp":1900003600,"exp":1}`), errorsx.UnknownToken},
		{"J19 EXP", rawPayload(`{` + all + `,"EXP":1900003600}`), errorsx.UnknownToken},
		{"J19 long s", rawPayload(`{` + strings.Replace(all, "sub", "ſub", 1) + `,"exp":1900003600}`), errorsx.UnknownToken},
		{"J20 exp a string", hs(nil, members{"exp": "4102444800"}), errorsx.UnknownToken},
		{"J20 exp 1.5", hs(nil, members{"exp": 1.5, "iat": 1}), errorsx.TokenExpired},
		{"J20 exp 1e3", rawPayload(`{` + strings.Replace(all, "1900000000", "1", 1) + `,"exp":1e3}`), errorsx.TokenExpired},
		{"J20 exp 1e30", rawPayload(`{` + all + `,"exp":1e30}`), errorsx.UnknownToken},
		{"J20 exp 1e400", rawPayload(`{` + all + `,"exp":1e400}`), errorsx.UnknownToken},
		{"J20 exp 0", hs(nil, members{"exp": 0, "iat": 0}), errorsx.TokenExpired},
		{"J20 exp -1", hs(nil, members{"exp": -1, "iat": -1}), errorsx.TokenExpired},
		{"J20 exp null", rawPayload(`{` + all + `,"exp":null}`), errorsx.UnknownToken},
		{"J20 exp true", hs(nil, members{"exp": true}), errorsx.UnknownToken},
		{"J20 exp []", hs(nil, members{"exp": []int{}}), errorsx.UnknownToken},
		{"J20 exp 2^53+1", rawPayload(`{` + all + `,"exp":9007199254740993}`), errorsx.UnknownToken},
		{"J20 exp 2^53+1 as a float", rawPayload(`{` + all + `,"exp":9.007199254740993e15}`), errorsx.UnknownToken},
		{"J20 exp 2^53+2", rawPayload(`{` + all + `,"exp":9007199254740994}`), errorsx.UnknownToken},
		{"J20 nbf 1e30", rawPayload(`{` + all + `,"exp":1900003600,"nbf":1e30}`), errorsx.UnknownToken},
		{"J20 nbf -1e30", rawPayload(`{` + all + `,"exp":1900003600,"nbf":-1e30}`), errorsx.UnknownToken},
		{"J20 exp absent", hs(nil, members{"exp": nil}), errorsx.UnknownToken},
		{"J21 nbf in the future", hs(nil, members{"nbf": testTime.Unix() + 1}), errorsx.UnknownToken},
		{"J21 iat in the future", hs(nil, members{"iat": testTime.Unix() + 1}), errorsx.UnknownToken},
		{"J21 iat after exp", hs(nil, members{"iat": testTime.Unix() + 7200}), errorsx.UnknownToken},
		{"J21 valid for two years", hs(nil, members{"exp": testTime.AddDate(2, 0, 0).Unix()}), errorsx.UnknownToken},
		{"J23 aud absent", hs(nil, members{"aud": nil}), errorsx.UnknownToken},
		{"J23 aud empty", hs(nil, members{"aud": ""}), errorsx.UnknownToken},
		{"J23 aud []", hs(nil, members{"aud": []string{}}), errorsx.UnknownToken},
		{"J23 aud another", hs(nil, members{"aud": []string{"x"}}), errorsx.UnknownToken},
		{"J23 aud [1]", hs(nil, members{"aud": []any{1, testAudience}}), errorsx.UnknownToken},
		{"J23 aud in a list in a list", hs(nil, members{"aud": [][]string{{testAudience}}}), errorsx.UnknownToken},
		{"J23 aud in another case", hs(nil, members{"aud": "https://API.example"}), errorsx.UnknownToken},
		{"J23 aud a prefix of ours", hs(nil, members{"aud": testAudience[:10]}), errorsx.UnknownToken},
		{"J23 aud with a space", hs(nil, members{"aud": "x " + testAudience}), errorsx.UnknownToken},
		{"J24 iss absent", hs(nil, members{"iss": nil}), errorsx.UnknownToken},
		{"J24 iss with a slash", hs(nil, members{"iss": testIssuer + "/"}), errorsx.UnknownToken},
		{"J24 iss in another case", hs(nil, members{"iss": "https://ID.example"}), errorsx.UnknownToken},
		{"J25 typ absent", hs(members{"typ": nil}, nil), errorsx.WrongTokenType},
		{"J25 typ JWT", hs(members{"typ": "JWT"}, nil), errorsx.WrongTokenType},
		{"J25 an ID token", hs(members{"typ": "JWT"}, members{"client_id": nil, "jti": nil}), errorsx.WrongTokenType},
		{"J25 typ refresh+jwt", hs(members{"typ": "refresh+jwt"}, nil), errorsx.WrongTokenType},
		{"J25 typ 7", hs(members{"typ": 7}, nil), errorsx.WrongTokenType},
		{"J26 payload null", rawPayload(`null`), errorsx.UnknownToken},
		{"J26 payload []", rawPayload(`[]`), errorsx.UnknownToken},
		{"J26 payload a string", rawPayload(`"x"`), errorsx.UnknownToken},
		{"J26 more after the payload", rawPayload(`{` + all + `,"exp":1900003600} x`), errorsx.UnknownToken},
		{"J26 BOM", rawPayload("\ufeff{" + all + `,"exp":1900003600}`), errorsx.UnknownToken},
		{"J26 bad UTF-8", rawPayload(`{` + all + `,"exp":1900003600,"x":"` + "\xff" + `"}`), errorsx.UnknownToken},
		{"J26 lone surrogate", rawPayload(`{` + all + `,"exp":1900003600,"x":"\ud800"}`), errorsx.UnknownToken},
		{"J26 deep", rawPayload(`{` + all + `,"exp":1900003600,"x":` + strings.Repeat("[", 4000) + `}`), errorsx.UnknownToken},
		{"J28 sub empty", hs(nil, members{"sub": ""}), errorsx.UnknownToken},
		{"J28 sub with NUL", hs(nil, members{"sub": "a\x00"}), errorsx.UnknownToken},
		{"J28 sub 7", hs(nil, members{"sub": 7}), errorsx.UnknownToken},
		{"J28 scope a list", hs(nil, members{"scope": []string{"a"}}), errorsx.UnknownToken},
		{"J28 scope with a tab", hs(nil, members{"scope": "a\tb"}), errorsx.UnknownToken},
		{"J28 scope with NBSP", hs(nil, members{"scope": "a\u00a0b"}), errorsx.UnknownToken},
		{"J28 azp another client", hs(nil, members{"azp": "other"}), errorsx.UnknownToken},
		{"RFC 9068 without client_id", hs(nil, members{"client_id": nil}), errorsx.UnknownToken},
		{"RFC 9068 without jti", hs(nil, members{"jti": nil}), errorsx.UnknownToken},
		{"J30 HMAC of its first half", cutMAC(t, 16), errorsx.BadSignature},
		{"J30 HMAC but for a byte", cutMAC(t, 31), errorsx.BadSignature},
		{"J30 HMAC of one byte", cutMAC(t, 1), errorsx.BadSignature},
		{"J30 PSS with a salt of 32 bytes", pss(t, "RS256", 32), errorsx.BadSignature},
		{"J30 PSS with a salt of 20 bytes", pss(t, "RS256", 20), errorsx.BadSignature},
		{"J30 PSS with the longest salt, said to be PSS", pss(t, "PS256", 0), errorsx.BadSignature},
		{"J32 expired, signature of another key", forge(t, payload(members{"exp": 1, "iat": 1})), errorsx.BadSignature},
	} {
		if id, code := judge(t, v, tt.token, testTime); code != tt.code {
			t.Errorf("%s: got %v %v, want %v", tt.name, id, code, tt.code)
		}
	}
}

// forge signs with an unknown key under the ID of a known one.
func forge(t testing.TB, p members) string {
	signed := b64(header("HS256", nil)) + "." + b64(p)
	sig, err := jwt.SigningMethodHS256.Sign(signed, []byte(strings.Repeat("x", 32)))
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + b64(sig)
}

// cutMAC returns a good token with only the first n bytes of its HMAC.
func cutMAC(t *testing.T, n int) string {
	token := good(t, "HS256")
	cut := strings.LastIndex(token, ".") + 1
	return token[:cut] + b64(mustDecode(t, token[cut:])[:n])
}

// pss signs by RSA-PSS with the key of RS256.
func pss(t *testing.T, alg string, salt int) string {
	t.Helper()
	signed := b64(header("RS256", members{"alg": alg})) + "." + b64(payload(nil))
	digest := sha256.Sum256([]byte(signed))
	opts := &rsa.PSSOptions{SaltLength: salt, Hash: crypto.SHA256}
	if salt == 0 {
		opts.SaltLength = rsa.PSSSaltLengthAuto
	}
	sig, err := rsa.SignPSS(rand.Reader, signers()["RS256"].(*rsa.PrivateKey), crypto.SHA256, digest[:], opts)
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + b64(sig)
}

// twin changes the unused bits of the last character.
func twin(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, token[len(token)-1])
	return token[:len(token)-1] + string(alphabet[last^1])
}

func mustDecode(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestJ12MalleableTwin is J12. The ECDSA signature (r, n-s) is as valid as (r, s), so
// a revocation must name a token by its ID, not by its signature.
func TestJ12MalleableTwin(t *testing.T) {
	v, es := own(t), good(t, "ES256")
	cut := strings.LastIndex(es, ".") + 1
	sig := mustDecode(t, es[cut:])
	s := new(big.Int).Sub(elliptic.P256().Params().N, new(big.Int).SetBytes(sig[32:]))
	other := es[:cut] + b64(append(sig[:32:32], s.FillBytes(make([]byte, 32))...))
	a, _ := judge(t, v, es, testTime)
	b, code := judge(t, v, other, testTime)
	if code == 0 && (a == nil || a.TokenID != b.TokenID || a.Family != b.Family) {
		t.Errorf("the twin is accepted as another token: %+v, %+v", a, b)
	}
}

// TestJ22Clock is J22. There is no tolerance for clocks: a token expires at exp, and is
// not valid before nbf and iat.
func TestJ22Clock(t *testing.T) {
	token := good(t, "HS256")
	exp := testTime.Add(time.Hour)
	for _, tt := range []struct {
		at   time.Time
		code errorsx.Code
	}{
		{exp.Add(-1), 0}, {exp, errorsx.TokenExpired}, {testTime, 0}, {testTime.Add(-1), errorsx.UnknownToken},
	} {
		if _, code := judge(t, own(t), token, tt.at); code != tt.code {
			t.Errorf("%v from exp: got %v, want %v", tt.at.Sub(exp), code, tt.code)
		}
	}
}

func TestJ25Types(t *testing.T) {
	for typ, want := range map[string]errorsx.Code{
		"at+jwt": 0, "AT+JWT": 0, "application/at+jwt": 0, "JWT": errorsx.WrongTokenType, "": errorsx.WrongTokenType, "logout+jwt": errorsx.WrongTokenType,
	} {
		if _, code := judge(t, own(t), sign(t, "HS256", header("HS256", members{"typ": typ}), payload(nil)), testTime); code != want {
			t.Errorf("typ %q: got %v, want %v", typ, code, want)
		}
	}
}

// TestOwnUsers tests that username alone decides whether a token is a user's: a login
// that equals a client's ID is still a person, and a sub is nobody.
func TestOwnUsers(t *testing.T) {
	for _, tt := range []struct {
		sub      string
		username any
		user     string
	}{{"app", nil, ""}, {"service-1", nil, ""}, {"app", "app", "app"}, {"ada", "ada", "ada"}} {
		token := sign(t, "HS256", header("HS256", nil), payload(members{"sub": tt.sub, "username": tt.username}))
		if id, code := judge(t, own(t), token, testTime); code != 0 || id.User != tt.user || id.Client != "app" {
			t.Errorf("sub %q, username %v: got %+v, %v, want user %q", tt.sub, tt.username, id, code, tt.user)
		}
	}
}

// TestKeyFailureIsOurs tests Keys that cannot be read, that panic, and that return a key
// of another algorithm.
func TestKeyFailureIsOurs(t *testing.T) {
	for name, keys := range map[string]keysFunc{
		"down":  func() (crypto.PublicKey, error) { return nil, errors.New("key set unreachable") },
		"panic": func() (crypto.PublicKey, error) { panic("broken") },
		"weak":  func() (crypto.PublicKey, error) { return []byte("short"), nil },
		"nil":   func() (crypto.PublicKey, error) { return nil, nil },
	} {
		cfg := idp.Own(testIssuer, testAudience)
		cfg.Keys = keys
		if _, code := judge(t, verifier(t, cfg), good(t, "HS256"), testTime); code != errorsx.Internal {
			t.Errorf("%s: got %v, want a failure of ours", name, code)
		}
	}
}

// TestKeysArePrivate tests that an HMAC key cannot be printed.
func TestKeysArePrivate(t *testing.T) {
	k := idp.Key{Public: []byte("s3cret")}
	if s := fmt.Sprintf("%v %+v %#v", k, k, k); strings.Contains(s, "s3cret") || strings.Contains(s, "115") {
		t.Errorf("a key prints as %s", s)
	}
}

// FuzzToken tests that only one spelling of a signed token is accepted.
func FuzzToken(f *testing.F) {
	token := good(f, "HS256")
	f.Add(token)
	f.Add(token + "=")
	f.Add(strings.ToLower(token))
	f.Add(b64(`{"alg":"none"}`) + "." + b64(payload(nil)) + ".")
	f.Add(b64(`{"alg":"HS256","kid":"HS256","typ":"at+jwt"}`) + ".e30.AAAA")
	v := own(f)
	f.Fuzz(func(t *testing.T, s string) {
		id, code := judge(t, v, s, testTime)
		if (code == 0) != (s == token) {
			t.Errorf("%q: got %+v, %v", s, id, code)
		}
		if code == errorsx.Internal {
			t.Errorf("%q: a failure of ours", s)
		}
	})
}

// keysFunc are [idp.Keys] that give the same answer to every question.
type keysFunc func() (crypto.PublicKey, error)

func (f keysFunc) Key(context.Context, string, string) (crypto.PublicKey, error) { return f() }
