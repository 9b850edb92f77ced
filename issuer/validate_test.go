package issuer_test

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/issuer/internal/secret"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

// broken is a store whose reads fail, and are counted.
type broken struct {
	store.Store
	reads int
}

var errDown = errors.New("store: connection refused")

func (b *broken) Client(context.Context, string) (*store.Client, error) {
	b.reads++
	return nil, errDown
}
func (b *broken) User(context.Context, string) (*store.User, error) { b.reads++; return nil, errDown }
func (b *broken) APIKey(context.Context, store.Digest) (*store.APIKey, error) {
	b.reads++
	return nil, errDown
}
func (b *broken) Token(context.Context, store.Digest) (*store.Token, error) {
	b.reads++
	return nil, errDown
}
func (b *broken) PutTokens(context.Context, ...store.Token) error { return errDown }
func (b *broken) Revoke(context.Context, ...store.Change) error   { return errDown }

// TestS01O13StoreDown is S01 and O13. A store that cannot be read is never the client's
// fault, and never leads to an answer.
func TestS01O13StoreDown(t *testing.T) {
	b := &broken{Store: newStore(t)}
	iss := newIssuer(t, b, issuer.Config{OpaqueTokens: true})
	for name, tt := range map[string]struct {
		c    middleware.Credential
		want errorsx.Code
	}{
		"API key":      {middleware.Credential{Scheme: middleware.SchemeAPIKey, Secret: "key1"}, errorsx.CredentialStore},
		"Basic":        {middleware.Credential{Scheme: middleware.SchemeBasic, Username: "app", Secret: "app-secret"}, errorsx.CredentialStore},
		"opaque token": {middleware.Credential{Scheme: middleware.SchemeBearer, Secret: secret.Generate("authtier_at")}, errorsx.Internal},
	} {
		_, err := iss.Validate(t.Context(), tt.c)
		wantCode(t, name, err, tt.want)
	}
	_, err := iss.AuthenticateUser(t.Context(), login("ada", testPassword))
	wantCode(t, "password", err, errorsx.CredentialStore)
	_, err = iss.Mint(t.Context(), issuer.Grant{Client: "app"})
	wantCode(t, "Mint", err, errorsx.CredentialStore)
	wantCode(t, "RevokeToken", iss.RevokeToken(t.Context(), secret.Generate("authtier_rt")), errorsx.Internal)

	r := httptest.NewRequest("POST", "/", strings.NewReader("grant_type=client_credentials"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("app", "app-secret")
	w := httptest.NewRecorder()
	inRFC(iss.TokenHandler()).ServeHTTP(w, r)
	if w.Code != 503 || w.Header().Get("Retry-After") == "" || w.Header().Get("WWW-Authenticate") != "" || strings.Contains(w.Body.String(), "refused") {
		t.Errorf("token endpoint: got %d %v %s", w.Code, w.Header(), w.Body)
	}
}

// TestJunkReachesNoStore sends credentials that were never generated here. Their
// checksum refuses them.
func TestJunkReachesNoStore(t *testing.T) {
	b := &broken{Store: newStore(t)}
	iss := newIssuer(t, b, issuer.Config{OpaqueTokens: true})
	token := secret.Generate("authtier_at")
	for _, junk := range []string{
		"x", "authtier_at_", "authtier_at_" + strings.Repeat("a", 49), mistyped(token), token + "a", token[1:],
		strings.ToUpper(token), "authtier_key_" + strings.Repeat("a", 60), "other" + token, "a.b.c",
	} {
		if _, code := validate(t, iss, junk); code != errorsx.UnknownToken {
			t.Errorf("%s: got %v", junk, code)
		}
	}
	key, _ := newAPIKey("app", nil, time.Time{})
	_, err := iss.Validate(t.Context(), middleware.Credential{Scheme: middleware.SchemeAPIKey, Secret: mistyped(key)})
	wantCode(t, "mistyped API key", err, errorsx.CredentialsIncorrect)
	if b.reads != 0 {
		t.Errorf("the store was asked %d times", b.reads)
	}
}

// mistyped changes one character before the checksum.
func mistyped(s string) string {
	b := []byte(s)
	if i := len(b) - 8; b[i] == 'a' {
		b[i] = 'b'
	} else {
		b[i] = 'a'
	}
	return string(b)
}

// old is a store with records from before the stores checked them.
type old struct {
	*memory.Store
	users map[string]store.User
	keys  map[store.Digest]store.APIKey
}

func (o *old) User(ctx context.Context, login string) (*store.User, error) {
	if u, ok := o.users[login]; ok {
		return &u, nil
	}
	return o.Store.User(ctx, login)
}

func (o *old) APIKey(ctx context.Context, d store.Digest) (*store.APIKey, error) {
	if k, ok := o.keys[d]; ok {
		return &k, nil
	}
	return o.Store.APIKey(ctx, d)
}

func TestValidateAPIKey(t *testing.T) {
	db := &old{Store: newStore(t), keys: map[store.Digest]store.APIKey{
		store.DigestOf("orphan"): {ID: "orphan", Client: "nobody", Digest: store.DigestOf("orphan")},
	}}
	iss := newIssuer(t, db, issuer.Config{})
	now := time.Now()
	key, rec := newAPIKey("app", []string{"a", "b"}, now.Add(time.Hour))
	id := rec.ID
	if !strings.HasPrefix(key, "authtier_key_"+id+"_") || !secret.WellFormed("authtier_key", key) {
		t.Errorf("key %q with ID %q", key, id)
	}
	for _, k := range []store.APIKey{
		rec,
		{ID: "past", Client: "app", Digest: store.DigestOf("past")},
	} {
		if err := db.CreateAPIKeys(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
	must(t, db.UpdateAPIKey(t.Context(), "past", func(k *store.APIKey) error { k.Expires = now; return nil }))
	check := func(secret string) (*middleware.Identity, error) {
		return iss.Validate(t.Context(), middleware.Credential{Scheme: middleware.SchemeAPIKey, Secret: secret}.At(now))
	}
	got, err := check(key)
	if err != nil || got.Client != "app" || got.APIKeyID != id || got.Scopes != "a b" || got.Methods != middleware.ByAPIKey || !got.Expires.Equal(now.Add(time.Hour)) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, secret := range []string{"past", "orphan", "unknown", "KEY1", "key1 "} {
		_, err := check(secret)
		wantCode(t, secret, err, errorsx.CredentialsIncorrect)
	}
	if err := iss.RevokeAPIKey(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	_, err = check(key)
	wantCode(t, "revoked", err, errorsx.CredentialsIncorrect)
	if err := db.UpdateClient(t.Context(), "app", func(c *store.Client) error { c.Disabled = true; return nil }); err != nil {
		t.Fatal(err)
	}
	_, err = check("key1")
	wantCode(t, "client disabled", err, errorsx.CredentialsIncorrect)
}

func TestClientSecrets(t *testing.T) {
	db := newStore(t)
	iss := newIssuer(t, db, issuer.Config{})
	now := time.Now().Add(time.Minute)
	err := db.CreateClient(t.Context(), store.Client{ID: "two", Secrets: []store.Secret{
		{ID: "old", Digest: store.DigestOf("old"), Expires: now},
		{ID: "ending", Digest: store.DigestOf("ending"), Expires: now.Add(time.Hour)},
		{ID: "new", Digest: store.DigestOf("new")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for secret, want := range map[string]errorsx.Code{"old": errorsx.CredentialsIncorrect, "ending": 0, "new": 0, "": errorsx.CredentialsIncorrect} {
		_, err := iss.Validate(t.Context(), middleware.Credential{Scheme: middleware.SchemeBasic, Username: "two", Secret: secret}.At(now))
		wantCode(t, "secret "+secret, err, want)
	}
}

func TestPasswords(t *testing.T) {
	db := &old{Store: newStore(t), users: map[string]store.User{}}
	iss := newIssuer(t, db, issuer.Config{})
	long := strings.Repeat("x", 72)
	argon, err := issuer.HashPassword(t.Context(), testPassword)
	if err != nil {
		t.Fatal(err)
	}
	bc := func(prefix, password string) string {
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		return prefix + string(hash[4:])
	}
	for login, hash := range map[string]string{
		"2x": bc("$2x$", testPassword), "plain": testPassword, "md5": "$1$abc$def",
		"trailed": strings.Replace(argon, ",p=1$", ",p=1x$", 1),
	} {
		db.users[login] = store.User{Login: login, Password: hash}
	}
	for login, hash := range map[string]string{
		"argon": argon, "2a": bc("$2a$", testPassword), "2b": bc("$2b$", testPassword), "2y": bc("$2y$", testPassword),
		"long": bc("$2b$", long), "none": "",
	} {
		if err := db.CreateUsers(t.Context(), store.User{Login: login, Password: hash}); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.CreateUsers(t.Context(), store.User{Login: "disabled", Password: argon, Disabled: true}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		login, password string
		want            errorsx.Code
	}{
		{"argon", testPassword, 0}, {"2a", testPassword, 0}, {"2b", testPassword, 0}, {"2y", testPassword, 0},
		{"long", long, 0}, {"long", long + "y", errorsx.CredentialsIncorrect},
		{"argon", "wrong", errorsx.CredentialsIncorrect}, {"2a", "wrong", errorsx.CredentialsIncorrect},
		{"2x", testPassword, errorsx.CredentialsIncorrect}, {"none", "", errorsx.CredentialsIncorrect},
		{"plain", testPassword, errorsx.CredentialsIncorrect}, {"md5", "x", errorsx.CredentialsIncorrect},
		{"disabled", testPassword, errorsx.CredentialsIncorrect},
		{"trailed", testPassword, errorsx.CredentialsIncorrect},
		{"ADA", testPassword, errorsx.CredentialsIncorrect}, {"nobody", testPassword, errorsx.CredentialsIncorrect},
	} {
		user, err := iss.AuthenticateUser(t.Context(), login(tt.login, tt.password))
		wantCode(t, tt.login+" with "+tt.password, err, tt.want)
		if (user != nil) != (tt.want == 0) {
			t.Errorf("%s with %s: got %+v beside %v", tt.login, tt.password, user, err)
		}
	}
}

// TestC06LongSecrets uses secrets that differ only after more bytes than bcrypt
// compares, and names that are longer than that.
func TestC06LongSecrets(t *testing.T) {
	db := newStore(t)
	iss := newIssuer(t, db, issuer.Config{AllowUnthrottled: true})
	cache, err := middleware.NewCache(iss.Passwords(), 100, nil)
	if err != nil {
		t.Fatal(err)
	}
	most, name := strings.Repeat("x", 72), strings.Repeat("n", 80)
	bc, err := bcrypt.GenerateFromPassword([]byte(most), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	argon, err := issuer.HashPassword(t.Context(), most+"y")
	if err != nil {
		t.Fatal(err)
	}
	for login, hash := range map[string]string{"bcrypt": string(bc), "argon": argon, name: argon} {
		if err := db.CreateUsers(t.Context(), store.User{Login: login, Password: hash}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		login, password string
		want            errorsx.Code
	}{
		{"argon", most + "y", 0},
		{"argon", most + "z", errorsx.CredentialsIncorrect},
		{"argon", most, errorsx.CredentialsIncorrect},
		{"argon", most + "yy", errorsx.CredentialsIncorrect},
		{"bcrypt", most + "y", errorsx.CredentialsIncorrect}, // before its hash is replaced
		{"bcrypt", most, 0},
		{"bcrypt", most + "y", errorsx.CredentialsIncorrect},
		{"bcrypt", most + strings.Repeat("y", 1000), errorsx.CredentialsIncorrect},
		{name, most + "y", 0},
		{name, most + "z", errorsx.CredentialsIncorrect},
		{name + "n", most + "y", errorsx.CredentialsIncorrect},
		{name[1:], "n" + most + "y", errorsx.CredentialsIncorrect},
	} {
		for range 2 { // the second time from the cache, if the password was correct
			_, err := cache.Validate(t.Context(), login(tt.login, tt.password))
			wantCode(t, fmt.Sprintf("C06 %.20s with %d bytes", tt.login, len(tt.password)), err, tt.want)
		}
	}
}

// TestB05HashingIsBounded asks for more hashes than may wait, with a context that ends.
func TestB05HashingIsBounded(t *testing.T) {
	iss := newIssuer(t, nil, issuer.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := iss.AuthenticateUser(ctx, login("nobody", "x"))
	if err == nil || errors.Is(err, errorsx.CredentialsIncorrect) {
		t.Errorf("with a context that has ended: got %v, want its end", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	refused := make(chan error, 400)
	for range cap(refused) {
		wg.Go(func() {
			_, err := issuer.HashPassword(ctx, "x")
			if errors.Is(err, errorsx.TooManyRequests) {
				cancel()
			}
			refused <- err
		})
	}
	wg.Wait()
	overloaded := 0
	for range cap(refused) {
		if errors.Is(<-refused, errorsx.TooManyRequests) {
			overloaded++
		}
	}
	if overloaded == 0 {
		t.Error("400 passwords at once were all hashed or waited for")
	}
}

func TestO17Generate(t *testing.T) {
	seen := map[string]bool{}
	for range 10_000 {
		s := secret.Generate("p_x")
		if seen[s] || len(s) != len("p_x_")+49 || !secret.WellFormed("p_x", s) || secret.WellFormed("p", s[1:]) || secret.WellFormed("p_x", mistyped(s)) {
			t.Fatalf("%q: repeated, of a wrong form, or not told from a mistyped one", s)
		}
		seen[s] = true
	}
}

// TestChecksumIsCRC32 keeps the format stable, because scanners and others may check
// it.
func TestChecksumIsCRC32(t *testing.T) {
	const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	s := secret.Generate("p")
	body, want := s[:len(s)-6], ""
	for sum := crc32.ChecksumIEEE([]byte(body)); len(want) < 6; sum /= 62 {
		want = string(base62[sum%62]) + want
	}
	if s != body+want {
		t.Errorf("%s ends in %s, want %s", s, s[len(s)-6:], want)
	}
}

func TestO11IntrospectOthers(t *testing.T) {
	iss := newIssuer(t, nil, issuer.Config{})
	app, other := mint(t, iss, issuer.Grant{Client: "app"}), mint(t, iss, issuer.Grant{Client: "other"})
	if got := introspect(t, iss, "app", other.AccessToken, ""); got != `{"active":false}` {
		t.Errorf("another client's token: got %s", got)
	}
	for _, hint := range []string{"", "access_token", "refresh_token"} {
		if got := introspect(t, iss, "other", app.AccessToken, hint); !strings.HasPrefix(got, `{"active":true,"scope":"a b","client_id":"app",`) {
			t.Errorf("with the scope introspect and hint %q: got %s", hint, got)
		}
	}
}

// TestO11IntrospectionShowsARefreshTokenToItsOwnerAlone asks like resource servers that
// check only active.
func TestO11IntrospectionShowsARefreshTokenToItsOwnerAlone(t *testing.T) {
	for name, opaque := range map[string]bool{"signed": false, "opaque": true} {
		t.Run(name, func(t *testing.T) {
			iss := newIssuer(t, nil, issuer.Config{OpaqueTokens: opaque})
			token := mint(t, iss, issuer.Grant{Client: "app", User: "ada", Refresh: true}).RefreshToken
			for _, hint := range []string{"", "access_token", "Refresh_Token", "refresh_token"} {
				for _, client := range []string{"app", "other"} { // other has the scope introspect
					got := introspect(t, iss, client, token, hint)
					if client == "app" && hint == "refresh_token" {
						if !strings.HasPrefix(got, `{"active":true,"scope":"a b","client_id":"app","username":"ada","token_type":"refresh_token",`) {
							t.Errorf("the owner: got %s", got)
						}
					} else if got != `{"active":false}` {
						t.Errorf("client %s with hint %q: got %s", client, hint, got)
					}
				}
			}
		})
	}
}

// introspect returns the introspection response that a client gets for a token.
func introspect(t *testing.T, iss *issuer.Issuer, client, token, hint string) string {
	t.Helper()
	r := httptest.NewRequest("POST", "/", strings.NewReader(`{"token":"`+token+`","token_type_hint":"`+hint+`"}`))
	r.SetBasicAuth(client, client+"-secret")
	w := httptest.NewRecorder()
	iss.IntrospectHandler().ServeHTTP(w, r)
	return strings.TrimSpace(w.Body.String())
}

// TestOldHashesAreReplaced logs in with hashes of other costs. They must be replaced,
// and the user's tokens must stay valid.
func TestOldHashesAreReplaced(t *testing.T) {
	db := newStore(t)
	iss := newIssuer(t, db, issuer.Config{})
	old, err := db.User(t.Context(), "ada")
	if err != nil || !strings.HasPrefix(old.Password, "$2a$") {
		t.Fatal(old, err)
	}
	token := mint(t, iss, issuer.Grant{Client: "app", User: "ada"}).AccessToken
	if _, err := iss.AuthenticateUser(t.Context(), login("ada", "wrong")); codeOf(err) != errorsx.CredentialsIncorrect {
		t.Fatal(err)
	}
	if u, err := db.User(t.Context(), "ada"); err != nil || u.Password != old.Password {
		t.Errorf("a wrong password: the hash was replaced, %v", err)
	}
	var hashes []string
	for range 2 {
		if _, err := iss.AuthenticateUser(t.Context(), login("ada", testPassword)); err != nil {
			t.Fatal(err)
		}
		u, err := db.User(t.Context(), "ada")
		if err != nil || !strings.HasPrefix(u.Password, "$argon2id$v=19$m=19456,t=2,p=1$") || u.Version != old.Version {
			t.Errorf("after a login: got %v, %v, want an argon2id hash at version %d", u, err, old.Version)
		}
		hashes = append(hashes, u.Password)
	}
	if hashes[0] != hashes[1] {
		t.Error("a good hash was replaced again")
	}
	if _, code := validate(t, iss, token); code != 0 {
		t.Errorf("a token from before: refused with %v", code)
	}
}

// login returns a user's login and password as a credential.
func login(name, password string) middleware.Credential {
	return middleware.Credential{Scheme: middleware.SchemeBasic, Username: name, Secret: password}.WithAddr(netip.MustParseAddr("192.0.2.9"))
}
