package issuer_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
	"github.com/authtier/authtier/middleware/throttle"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

// usersFunc is a table of users. Its nil value has no user.
type usersFunc func(ctx context.Context, login string) (*store.User, error)

func (f usersFunc) User(ctx context.Context, login string) (*store.User, error) { return f(ctx, login) }

// says reports whether text begins with the prefix and contains all wants.
func says(text, prefix string, wants ...string) bool {
	for _, want := range wants {
		if !strings.Contains(text, want) {
			return false
		}
	}
	return strings.HasPrefix(text, prefix)
}

// TestOpenErrors opens issuers with invalid arguments. The error must name all of them,
// whether they are in the code, in a file or in the environment.
func TestOpenErrors(t *testing.T) {
	const variable = "AUTHTIER_TEST_UNSET"
	var noContext context.Context
	folder, db := t.TempDir(), memory.New()
	here := func(cfg issuer.Config) configured { return configured{testURL, db, cfg} }
	at := func(url string) configured { return configured{url, db, issuer.Config{AllowEphemeralKeys: true}} }
	for name, tt := range map[string]struct {
		ctx   context.Context
		from  configured
		wants []string
	}{
		"nothing": {noContext, configured{}, []string{"nil Context", `URL ""`, "no store", "no signing keys"}},
		"everything": {t.Context(), configured{":", (*memory.Store)(nil), issuer.Config{
			KeyFile: folder, AllowReadableKeyFile: true, KeyVariable: variable, EncryptionKey: []byte{}, Keys: &issuer.KeySet{}, OpaqueTokens: true,
			SigningAlg: "none", MaxTTL: -time.Second, Base: "oauth2/", Users: (*memory.Store)(nil), Audience: "a b", Prefix: "Ab_",
			AccessTTL: time.Hour + 1, RefreshTTL: -1, FamilyTTL: time.Millisecond, Throttle: &throttle.Throttle{}, AllowUnthrottled: true,
			BcryptCost: 99, AllowRefreshGrace: time.Hour,
		}}, []string{
			`URL ":"`, "no store", "EncryptionKey and KeyFile and KeyVariable and Keys and OpaqueTokens are set", "the set of Keys has no key",
			fmt.Sprintf("the key file %q: it is not a regular file", folder), `SigningAlg is "none"`, "MaxTTL is -1s", `the Base "oauth2/"`, "the Users are a nil *memory.Store",
			`the Audience "a b"`, `the Prefix is "Ab_"`, "AccessTTL is 1h", "RefreshTTL is -1ns", "FamilyTTL is 1ms", "both Throttle and AllowUnthrottled",
			"BcryptCost is 99", "AllowRefreshGrace is 1h",
		}},
		"no function as users": {t.Context(), here(issuer.Config{AllowEphemeralKeys: true, Users: usersFunc(nil)}), []string{"the Users are a nil issuer_test.usersFunc"}},
		"a line's end":         {t.Context(), here(issuer.Config{AllowEphemeralKeys: true, Audience: "api\n"}), []string{`the Audience "api\n"`}},
		"a long prefix":        {t.Context(), here(issuer.Config{AllowEphemeralKeys: true, Prefix: strings.Repeat("x", 65)}), []string{"the Prefix is"}},
		"a bad file beside another fault": {t.Context(), here(issuer.Config{KeyFile: folder, Prefix: "-"}),
			[]string{"the key file", "not a regular file", "the Prefix"}},
		"an unset variable beside another fault": {t.Context(), here(issuer.Config{KeyVariable: variable, BcryptCost: -1}),
			[]string{variable, "it is empty", "BcryptCost is -1"}},
		"a short key beside another fault": {t.Context(), here(issuer.Config{EncryptionKey: encryptionKey[1:], BcryptCost: 1}),
			[]string{"the EncryptionKey: it has 31 bytes", "BcryptCost is 1"}},
		"a buffer":           {t.Context(), here(issuer.Config{EncryptionKey: make([]byte, 32)}), []string{"the EncryptionKey: it is 32 equal bytes"}},
		"no key in the set":  {t.Context(), here(issuer.Config{Keys: &issuer.KeySet{}}), []string{"NewKeySet"}},
		"a missing folder":   {t.Context(), here(issuer.Config{KeyFile: filepath.Join(folder, "x", "y")}), []string{"the key file", "no such file"}},
		"a zero store":       {t.Context(), configured{testURL, &memory.Store{}, issuer.Config{AllowEphemeralKeys: true}}, []string{"reading revocations", "does not come from New"}},
		"a store that fails": {t.Context(), configured{testURL, struct{ store.Store }{}, issuer.Config{AllowEphemeralKeys: true}}, []string{"the store panicked"}},

		"no host":           {t.Context(), at("https://"), []string{`URL "https://": expected a host`}},
		"a port alone":      {t.Context(), at("https://:8080"), []string{`URL "https://:8080": expected a host`}},
		"a garbled port":    {t.Context(), at("https://id.example:port"), []string{"URL", "invalid port"}},
		"a garbled escape":  {t.Context(), at("https://id.example/%zz"), []string{"URL", "invalid URL escape"}},
		"a blank in a path": {t.Context(), at("https://id.example/a b"), []string{`the path "/a b"`}},
		"no scheme":         {t.Context(), at("id.example"), []string{`URL "id.example": expected an https URL`}},
	} {
		iss, err := issuer.New(tt.ctx, tt.from.url, tt.from.db, &tt.from.Config)
		if err == nil || iss != nil || !says(err.Error(), "issuer: New: ", tt.wants...) {
			t.Errorf("New with %s: got %v, %v, want an error that says %q", name, iss, err, tt.wants)
		}

		whole, _ := tt.from.db.(store.Store)
		iss, err = issuer.Open(tt.ctx, tt.from.url, whole, &tt.from.Config)
		if err == nil || iss != nil || !says(err.Error(), "issuer: Open: ", tt.wants...) {
			t.Errorf("Open with %s: got %v, %v, want an error that says %q", name, iss, err, tt.wants)
		}
	}
	if got := signingKeys(t, db); got != 0 {
		t.Errorf("%d signing keys were stored", got)
	}

	// The audience is made of the URL, whose fault is told once.
	if _, err := issuer.New(t.Context(), "https://id.example/a b", db, &issuer.Config{AllowEphemeralKeys: true}); strings.Contains(err.Error(), "Audience") {
		t.Errorf("got %v", err)
	}
}

// TestMethodsOfNoIssuer calls the methods by which a program is wired, on issuers that
// did not open.
func TestMethodsOfNoIssuer(t *testing.T) {
	whole := newIssuer(t, nil, issuer.Config{})
	panicOf := func(f func()) (text string) {
		defer func() { text = fmt.Sprint(recover()) }()
		f()
		return ""
	}
	for name, iss := range map[string]*issuer.Issuer{"nil": nil, "zero": {}} {
		for method, call := range map[string]func(){
			"Validator": func() { iss.Validator() }, "Passwords": func() { iss.Passwords() }, "TokenHandler": func() { iss.TokenHandler() },
			"IntrospectHandler": func() { iss.IntrospectHandler() }, "RevokeHandler": func() { iss.RevokeHandler() },
			"KeysHandler": func() { iss.KeysHandler() }, "Register": func() { iss.Register(http.NewServeMux()) },
		} {
			if text := panicOf(call); !says(text, "issuer: "+method+": ", "Open or New") {
				t.Errorf("%s of a %s issuer: got the panic %q", method, name, text)
			}
		}
	}
	if text := panicOf(func() { whole.Register(nil) }); !says(text, "issuer: Register: nil ServeMux") {
		t.Errorf("Register with no mux: got the panic %q", text)
	}
}

// TestKeySetErrors makes key sets of keys that cannot sign. The error must name all of
// them.
func TestKeySetErrors(t *testing.T) {
	generate := func(alg string) issuer.SigningKey {
		k, err := issuer.GenerateKey(alg)
		must(t, err)
		return k
	}
	ec, otherEC, ed := generate("ES256"), generate("ES256"), generate("EdDSA")
	public := ec.Private.(*ecdsa.PrivateKey).PublicKey
	//lint:ignore SA1019 no other way makes a key of two halves
	halves := &ecdsa.PrivateKey{PublicKey: public, D: otherEC.Private.(*ecdsa.PrivateKey).D}
	mixed := ed25519.PrivateKey(append(bytes.Clone(ed.Private.(ed25519.PrivateKey)[:32]), generate("EdDSA").Private.(ed25519.PrivateKey)[32:]...))
	secret := generate("HS256").Private

	_, err := issuer.NewKeySet(issuer.SigningKey{},
		issuer.SigningKey{Alg: "ES256", Private: (*ecdsa.PrivateKey)(nil)}, issuer.SigningKey{Alg: "ES256", Private: &ecdsa.PrivateKey{}},
		issuer.SigningKey{Alg: "ES256", Private: &ecdsa.PrivateKey{PublicKey: public}}, issuer.SigningKey{Alg: "ES256", Private: halves},
		issuer.SigningKey{Alg: "RS256", Private: (*rsa.PrivateKey)(nil)}, issuer.SigningKey{Alg: "RS256", Private: &rsa.PrivateKey{}},
		issuer.SigningKey{Alg: "EdDSA", Private: ed25519.PrivateKey(nil)}, issuer.SigningKey{Alg: "EdDSA", Private: ed25519.PrivateKey(make([]byte, 64))},
		issuer.SigningKey{Alg: "EdDSA", Private: mixed}, issuer.SigningKey{ID: "x", Alg: "HS256", Private: make([]byte, 32)},
		issuer.SigningKey{ID: "x", Alg: "HS256", Private: []byte(nil)}, issuer.SigningKey{Alg: "HS256", Private: secret},
		issuer.SigningKey{ID: "x", Alg: "ES256", Private: secret}, issuer.SigningKey{ID: "twice", Alg: "HS256", Private: secret},
		issuer.SigningKey{ID: "twice", Alg: "HS256", Private: secret}, issuer.SigningKey{ID: "x", Alg: "EdDSA", Private: 7},
	)
	wants := []string{
		`key 0: algorithm ""`, "key 1: an ECDSA key without its private part", "key 2: an ECDSA key without", "key 3: an ECDSA key without",
		"key 4: its private part does not belong", "key 5: a nil RSA key", "key 6: crypto/rsa", "key 7: an Ed25519 key of a wrong size",
		"key 8: ", "key 9: its private part does not belong", "key 10: ", "key 11: ", "key 12: an HS256 key needs an ID", "key 13: ", "key 16: ",
		`two keys with the ID "twice"`, "equal bytes",
	}
	if err == nil || !says(err.Error(), "issuer: NewKeySet: ", wants...) || strings.Contains(err.Error(), "no key\n") {
		t.Errorf("got %v, want an error that says %q", err, wants)
	}

	for _, alg := range []string{"", "none", "es256", "RS512"} {
		if k, err := issuer.GenerateKey(alg); err == nil || k.Private != nil || !says(err.Error(), "issuer: GenerateKey: ", fmt.Sprintf("%q", alg)) {
			t.Errorf("%q: got %v, %v", alg, k, err)
		}
	}
}

// TestZeroKeySet verifies with a set that NewKeySet has not made. That is a failure of
// the server, not of the token.
func TestZeroKeySet(t *testing.T) {
	token := mint(t, newIssuer(t, nil, issuer.Config{}), issuer.Grant{Client: "app"}).AccessToken
	cfg := idp.Own(testURL)
	cfg.Keys = &issuer.KeySet{}
	v, err := idp.Open(t.Context(), cfg)
	must(t, err)
	if _, err := v.Validate(t.Context(), middleware.Credential{Scheme: middleware.SchemeBearer, Secret: token}); err == nil || !strings.Contains(err.Error(), "NewKeySet") {
		t.Errorf("got %v", err)
	}
	v.Offline(middleware.Credential{Scheme: middleware.SchemeBearer, Secret: token})
}

// TestImportErrors imports secrets with several faults. The error must name all of
// them, and never the secret.
func TestImportErrors(t *testing.T) {
	iss := newIssuer(t, nil, issuer.Config{})
	for name, tt := range map[string]struct {
		id, secret string
		wants      []string
	}{
		"nothing":                {"", "", []string{"the ID is empty", "there is no %s"}},
		"short, and with a line": {"", "hunter\n", []string{"the ID is empty", "the %s has 7 bytes", "holds what"}},
	} {
		of := func(what string) (wants []string) {
			for _, want := range tt.wants {
				wants = append(wants, strings.ReplaceAll(want, "%s", what))
			}
			return wants
		}
		if _, err := issuer.ImportSecret(issuer.ImportedSecret{ID: tt.id, Secret: tt.secret}); err == nil || !says(err.Error(), "issuer: ImportSecret: ", of("secret")...) ||
			strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s, a secret: got %v", name, err)
		}
		wants := append(of("key"), "the Client is empty")
		if _, err := iss.ImportAPIKey(issuer.ImportedKey{ID: tt.id, Key: tt.secret}); err == nil || !says(err.Error(), "issuer: ImportAPIKey: ", wants...) ||
			strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s, a key: got %v", name, err)
		}
	}
}
