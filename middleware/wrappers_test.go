package middleware_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// directory is a validator with a fixed list of secrets. Basic credentials are listed
// as user:password.
type directory map[string]middleware.Identity

func (d directory) Validate(_ context.Context, c middleware.Credential) (*middleware.Identity, error) {
	secret := c.Secret
	if c.Scheme == middleware.SchemeBasic {
		secret = c.Username + ":" + c.Secret
	}
	id, ok := d[secret]
	if !ok {
		return nil, errorsx.UnknownToken
	}
	return &id, nil
}

var people = directory{
	"key-app":      {Issuer: "i", Client: "app", Scopes: "from-key", Methods: middleware.ByAPIKey, APIKeyID: "k1"},
	"key-other":    {Issuer: "i", Client: "other", Methods: middleware.ByAPIKey, APIKeyID: "k2"},
	"key-foreign":  {Issuer: "j", Client: "app", Methods: middleware.ByAPIKey, APIKeyID: "k3"},
	"token-ada":    {Issuer: "i", Client: "app", User: "ada", Scopes: "read files", Methods: middleware.ByToken, TokenID: "t1", Audience: "a1 a2"},
	"token-app":    {Issuer: "i", Client: "app", Scopes: "files", Methods: middleware.ByToken, TokenID: "t2"},
	"token-bare":   {Issuer: "i", Client: "app", Methods: middleware.ByToken, TokenID: "t3"},
	"token-bound":  middleware.Identity{Issuer: "i", Client: "app", User: "ada", Methods: middleware.ByToken, TokenID: "t4"}.WithDetails(middleware.Details{Confirmation: "digest"}),
	"token-past":   {Issuer: "i", Client: "app", Methods: middleware.ByToken, Expires: time.Unix(1, 0)},
	"app:pass":     {Issuer: "i", Client: "app", Scopes: "from-basic", Methods: middleware.ByBasic},
	"app:pa:ss é":  {Issuer: "i", Client: "app", Methods: middleware.ByBasic},
	"second-token": {Issuer: "i", Client: "app", User: "eve", Methods: middleware.ByToken, TokenID: "t9"},
}

// whoami is a handler that answers the identity as JSON, or null.
var whoami = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if id, ok := middleware.IdentityFromContext(r.Context()); ok {
		json.NewEncoder(w).Encode(id)
	} else {
		io.WriteString(w, "null")
	}
})

// serve sends a request with header lines, each "Name: value".
func serve(h http.Handler, method, target string, lines ...string) *httptest.ResponseRecorder {
	r, w := httptest.NewRequest(method, target, nil), httptest.NewRecorder()
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		r.Header.Add(name, value)
	}
	h.ServeHTTP(w, r)
	return w
}

func code(w *httptest.ResponseRecorder) string {
	var b struct{ Code string }
	json.Unmarshal(w.Body.Bytes(), &b)
	return b.Code
}

func message(w *httptest.ResponseRecorder) string {
	var b struct{ Message string }
	json.Unmarshal(w.Body.Bytes(), &b)
	return b.Message
}

func identity(t *testing.T, w *httptest.ResponseRecorder) middleware.Identity {
	t.Helper()
	var id middleware.Identity
	if err := json.Unmarshal(w.Body.Bytes(), &id); err != nil || w.Code != 200 {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	return id
}

var (
	key    = middleware.APIKey(people, nil)
	bearer = middleware.Bearer(people, nil)
	basic  = middleware.Basic(people, nil)
)

const (
	keyApp   = "X-API-KEY: key-app"
	tokenAda = "Authorization: Bearer token-ada"
)

func TestMerge(t *testing.T) {
	both := middleware.Chain(key, bearer)
	custom := middleware.Bearer(people, &middleware.BearerConfig{Header: "X-Token"})
	for _, tt := range []struct {
		name  string
		guard middleware.Wrapper
		lines []string
		want  string // a code, or client|user|scopes|methods
	}{
		{"key alone", key, []string{keyApp}, "app||from-key|1"},
		{"key and token", both, []string{keyApp, tokenAda}, "app|ada|read files|5"},
		{"token and key", middleware.Chain(bearer, key), []string{keyApp, tokenAda}, "app|ada|read files|5"},
		{"key, token and the same key", middleware.Chain(both, key), []string{keyApp, tokenAda}, "app|ada|read files|5"},
		{"key, token and the same token", middleware.Chain(both, bearer), []string{keyApp, tokenAda}, "app|ada|read files|5"},
		{"key, token and another token", middleware.Chain(both, custom), []string{keyApp, tokenAda, "X-Token: Bearer second-token"}, "AUTH-1"},
		{"T04 another client's key", both, []string{"X-API-KEY: key-other", tokenAda}, "AUTH-1"},
		{"T04 another issuer's key", both, []string{"X-API-KEY: key-foreign", tokenAda}, "AUTH-1"},
		{"basic and token", middleware.Chain(basic, custom), []string{"Authorization: Basic YXBwOnBhc3M=", "X-Token: Bearer token-ada"}, "app|ada|read files|6"},
		{"two tokens", middleware.Chain(bearer, custom), []string{tokenAda, "X-Token: Bearer second-token"}, "AUTH-1"},
		{"one token twice", middleware.Chain(bearer, custom), []string{tokenAda, "X-Token: Bearer token-ada"}, "app|ada|read files|4"},
		{"T05 a token as key", key, []string{"X-API-KEY: token-nobody"}, "AUTH-12"},
	} {
		w := serve(tt.guard(whoami), "GET", "/", tt.lines...)
		got := code(w)
		if w.Code == 200 {
			id := identity(t, w)
			got = fmt.Sprintf("%s|%s|%s|%d", id.Client, id.User, id.Scopes, id.Methods)
		}
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestAllowOtherClient(t *testing.T) {
	guard := middleware.Chain(key, middleware.Bearer(people, &middleware.BearerConfig{AllowOtherClient: true}))
	id := identity(t, serve(guard(whoami), "GET", "/", "X-API-KEY: key-other", tokenAda))
	if id.Client != "app" || id.APIKeyID != "k2" {
		t.Errorf("got %+v, want the token's client", id)
	}
	if w := serve(guard(whoami), "GET", "/", "X-API-KEY: key-foreign", tokenAda); code(w) != "AUTH-1" {
		t.Errorf("another issuer's key: got %d %s", w.Code, w.Body)
	}
}

// TestFailureLeavesNothing tests that an outer wrapper sees no identity if an inner
// one refuses the request.
func TestFailureLeavesNothing(t *testing.T) {
	var seen middleware.Identity
	var ok bool
	outer := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r)
			seen, ok = middleware.IdentityFromContext(r.Context())
		})
	}
	h := middleware.Chain(key, outer, bearer)(whoami)
	serve(h, "GET", "/", keyApp, tokenAda)
	if !ok || seen.User != "ada" {
		t.Errorf("after acceptance: got %+v, %t", seen, ok)
	}
	serve(h, "GET", "/", keyApp, "Authorization: Bearer unknown")
	if !ok || seen.User != "" || seen.APIKeyID != "k1" {
		t.Errorf("after a refusal: got %+v, want the key's identity alone", seen)
	}
}

// TestTiersMerge tests that an identity from outside of the tiers stays and is merged
// with the identity of the tier.
func TestTiersMerge(t *testing.T) {
	inner := middleware.Tiers(middleware.TierTable{"/": bearer, "/open/": middleware.Unguarded}, nil)
	h := middleware.Chain(key, inner)(whoami)

	w := serve(h, "GET", "/", keyApp, tokenAda)
	if id := identity(t, w); id.APIKeyID != "k1" || id.User != "ada" {
		t.Errorf("a key outside and a token inside: got %+v", id)
	}
	w = serve(h, "GET", "/", "X-API-KEY: key-other", tokenAda)
	if code(w) != "AUTH-1" {
		t.Errorf("of two clients: got %d %s, want AUTH-1", w.Code, w.Body)
	}
	w = serve(h, "GET", "/open/x", keyApp)
	if id := identity(t, w); id.APIKeyID != "k1" || id.Client != "app" {
		t.Errorf("in an open tier: got %+v", id)
	}
}

func TestC14WithIdentityIsNotShared(t *testing.T) {
	base := middleware.WithIdentity(t.Context(), middleware.Identity{Client: "base", Issuer: "i", Scopes: "s"})
	r := httptest.NewRequest("GET", "/", nil).WithContext(base)
	r.Header.Set("X-API-KEY", "key-app")
	w := httptest.NewRecorder()
	middleware.APIKey(people, &middleware.APIKeyConfig{AllowOtherClient: true})(whoami).ServeHTTP(w, r)
	if w.Code != 200 {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	if id, _ := middleware.IdentityFromContext(base); id.Client != "base" || id.APIKeyID != "" {
		t.Errorf("a request changed the context it came from: %+v", id)
	}
	w = httptest.NewRecorder()
	middleware.Scope("s")(whoami).ServeHTTP(w, r)
	if w.Code != 200 {
		t.Errorf("Scope behind WithIdentity: got %d %s", w.Code, w.Body)
	}
}

func TestC14IdentityIsACopy(t *testing.T) {
	h := bearer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := middleware.IdentityFromContext(r.Context())
		id.Scopes = "admin"
		again, _ := middleware.IdentityFromContext(r.Context())
		io.WriteString(w, string(again.Scopes))
	}))
	if w := serve(h, "GET", "/", tokenAda); w.Body.String() != "read files" {
		t.Errorf("got %q", w.Body)
	}
}

func TestT09Scope(t *testing.T) {
	for scope, want := range map[string]int{
		"read": 200, "files": 200, "rea": 403, "Read": 403, "read:all": 403, "*": 403, "read%20files": 403,
	} {
		w := serve(middleware.Chain(bearer, middleware.Scope(scope))(whoami), "GET", "/", tokenAda)
		if w.Code != want { // T09
			t.Errorf("scope %q: got %d, want %d", scope, w.Code, want)
		}
	}
	w := serve(middleware.Chain(bearer, middleware.Scope("x", "y"))(whoami), "GET", "/", tokenAda)
	want := `Bearer realm="api", error="insufficient_scope", error_description="The request needs a scope that its credentials do not have", scope="x y"`
	if got := w.Header().Get("WWW-Authenticate"); got != want {
		t.Errorf("challenge: got %s, want %s", got, want)
	}
	w = serve(middleware.Chain(key, middleware.Scope("x"))(whoami), "GET", "/", keyApp)
	if got := w.Header().Get("WWW-Authenticate"); got != `ApiKey realm="api"` || w.Code != 403 {
		t.Errorf("behind an API key: got %d %s", w.Code, got)
	}
	if w := serve(middleware.Chain(key, middleware.Scope("from-key"))(whoami), "GET", "/", keyApp); w.Code != 200 {
		t.Errorf("a key's own scope: got %d", w.Code)
	}
	if w := serve(middleware.Chain(key, bearer, middleware.Scope("from-key"))(whoami), "GET", "/", keyApp, tokenAda); w.Code != 403 {
		t.Errorf("a key's scope beside a token: got %d, want 403", w.Code)
	}
}

func TestT03RequireUserAndAudience(t *testing.T) {
	user := middleware.Bearer(people, &middleware.BearerConfig{RequireUser: true})
	if w := serve(user(whoami), "GET", "/", "Authorization: Bearer token-app"); code(w) != "AUTH-9" { // T03
		t.Errorf("a client's token: got %d %s", w.Code, w.Body)
	}
	for audience, want := range map[string]string{"a1": "", "a2": "", "a": "AUTH-12"} {
		guard := middleware.Bearer(people, &middleware.BearerConfig{Audience: audience})
		if w := serve(guard(whoami), "GET", "/", tokenAda); code(w) != want {
			t.Errorf("audience %q: got %d %s, want %q", audience, w.Code, w.Body, want)
		}
	}
	if w := serve(bearer(whoami), "GET", "/", "Authorization: Bearer token-past"); code(w) != "AUTH-11" {
		t.Errorf("an identity that has expired: got %d %s", w.Code, w.Body)
	}
}

func TestQueryToken(t *testing.T) {
	guard := middleware.Bearer(people, &middleware.BearerConfig{QuerySafe: []string{"files"}})
	for _, tt := range []struct {
		name, method, target string
		lines                []string
		want                 string
	}{
		{"safe", "GET", "/?access_token=token-app", nil, ""},
		{"safe, HEAD", "HEAD", "/?access_token=token-app", nil, ""},
		{"unsafe scope", "GET", "/?access_token=token-ada", nil, "AUTH-7"},
		{"no scope", "GET", "/?access_token=token-bare", nil, "AUTH-7"},
		{"unsafe scope by header", "GET", "/", []string{tokenAda}, ""},
		{"H12 both", "GET", "/?access_token=token-app", []string{tokenAda}, "AUTH-3"},
		{"H12 both, header empty", "GET", "/?access_token=token-app", []string{"Authorization: "}, ""},
		{"H12 POST", "POST", "/?access_token=token-app", nil, "AUTH-2"},
		{"H12 POST with a header", "POST", "/?access_token=%zz", []string{tokenAda}, ""},
		{"H13 twice", "GET", "/?access_token=token-app&access_token=token-app", nil, "AUTH-3"},
		{"H13 empty", "GET", "/?access_token=", nil, "AUTH-3"},
		{"H13 semicolon", "GET", "/?access_token=token-app;x=1", nil, "AUTH-3"},
		{"H13 broken elsewhere", "GET", "/?access_token=token-app&x=%zz", nil, "AUTH-3"},
		{"broken without a token", "GET", "/?x=%zz", []string{tokenAda}, ""},
		{"a semicolon without a token", "GET", "/x?a;b=1", []string{tokenAda}, ""},
		{"broken, with the name as a value", "GET", "/?x=%zz&y=access_token", []string{tokenAda}, "AUTH-3"},
		{"H13 another name", "GET", "/?Access_Token=token-app", nil, "AUTH-2"},
		{"over 8 KiB", "GET", "/?access_token=" + strings.Repeat("a", 8193), nil, "AUTH-3"},
		{"unknown", "GET", "/?access_token=nobody", nil, "AUTH-12"},
	} {
		w := serve(guard(whoami), tt.method, tt.target, tt.lines...)
		if code(w) != tt.want {
			t.Errorf("%s: got %d %s, want %q", tt.name, w.Code, w.Body, tt.want)
		}
	}
	if w := serve(bearer(whoami), "GET", "/?access_token=token-app"); code(w) != "AUTH-2" {
		t.Errorf("where no query token is read: got %d %s", w.Code, w.Body)
	}
	for target, control := range map[string]string{"/?access_token=token-app": "private", "/?access_token=token-ada": "no-store"} {
		h := serve(guard(whoami), "GET", target).Header()
		if h.Get("Cache-Control") != control || h.Get("Referrer-Policy") != "no-referrer" || h.Get("Vary") != "Authorization" {
			t.Errorf("%s: got header %v", target, h)
		}
	}
}

func TestC20AnswersArePrivate(t *testing.T) {
	sets := func(name, value string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Add(name, value) })
	}
	custom := middleware.Bearer(people, &middleware.BearerConfig{Header: "x-token", Vary: "cookie", Confirm: confirms})
	for _, tt := range []struct {
		name          string
		guard         middleware.Wrapper
		handler       http.Handler
		vary, caching []string
	}{
		{"Authorization", bearer, whoami, nil, nil},
		{"key", key, whoami, []string{"X-API-KEY"}, []string{"private"}},
		{"key, handler adds to Vary", key, sets("Vary", "Accept"), []string{"X-API-KEY", "Accept"}, []string{"private"}},
		{"key and custom header", middleware.Chain(key, custom), whoami, []string{"X-API-KEY", "X-Token", "Cookie"}, []string{"private"}},
	} {
		for range 2 { // the second answer shares slices with the first
			w := serve(tt.guard(tt.handler), "GET", "/", keyApp, tokenAda, "X-Token: Bearer token-ada")
			if !slices.Equal(w.Header()["Vary"], tt.vary) || !slices.Equal(w.Header()["Cache-Control"], tt.caching) {
				t.Errorf("%s: got Vary %q, Cache-Control %q", tt.name, w.Header()["Vary"], w.Header()["Cache-Control"])
			}
		}
	}
	own := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Cache-Control", "no-store") })
	if w := serve(key(own), "GET", "/", keyApp); w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("the handler's own Cache-Control: got %q", w.Header()["Cache-Control"])
	}
}

func TestConfirm(t *testing.T) {
	calls := 0
	guard := middleware.Bearer(people, &middleware.BearerConfig{
		RequireUser: true,
		Confirm: func(r *http.Request, id middleware.Identity) error {
			calls++
			if r.Header.Get("Cookie") != id.Details().Confirmation {
				return errorsx.CredentialsIncorrect
			}
			return nil
		},
	})

	const token = "Authorization: Bearer token-bound"
	if w := serve(guard(whoami), "GET", "/", token, "Cookie: digest"); w.Code != 200 || calls != 1 {
		t.Errorf("got %d %s after %d calls", w.Code, w.Body, calls)
	}
	if w := serve(guard(whoami), "GET", "/", token, "Cookie: other"); code(w) != "AUTH-1" {
		t.Errorf("not confirmed: got %d %s", w.Code, w.Body)
	}
	calls = 0
	if w := serve(guard(whoami), "GET", "/", "Authorization: Bearer token-app"); code(w) != "AUTH-9" || calls != 0 {
		t.Errorf("refused before: got %d %s, and Confirm was asked %d times", w.Code, w.Body, calls)
	}
	quiet := middleware.Chain(middleware.Errors(silent), middleware.Bearer(people, nil))
	if w := serve(quiet(whoami), "GET", "/", token, "Cookie: digest"); code(w) != "AUTH-8" || w.Code != 500 {
		t.Errorf("no Confirm configured: got %d %s, want a fault in wiring", w.Code, w.Body)
	}
}

// silent is a writer that logs nothing.
var silent = &errorsx.Writer{Log: slog.New(slog.DiscardHandler)}

func TestS05ValidatorFaults(t *testing.T) {
	for name, v := range map[string]middleware.ValidatorFunc{
		"panics":          func(context.Context, middleware.Credential) (*middleware.Identity, error) { panic("s3cret cause") },
		"answers nothing": func(context.Context, middleware.Credential) (*middleware.Identity, error) { return nil, nil },
		"fails": func(context.Context, middleware.Credential) (*middleware.Identity, error) {
			return nil, errors.New("s3cret cause")
		},
	} {
		h := middleware.Chain(middleware.Errors(silent), middleware.Bearer(v, nil))(whoami)
		w := serve(h, "GET", "/", tokenAda)
		if w.Code != 500 || code(w) != "AUTH-8" || strings.Contains(w.Body.String(), "s3cret") || w.Header().Get("WWW-Authenticate") != "" {
			t.Errorf("%s: got %d %s %v", name, w.Code, w.Body, w.Header())
		}
	}
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("http.ErrAbortHandler became %v", p)
		}
	}()
	abort := middleware.ValidatorFunc(func(context.Context, middleware.Credential) (*middleware.Identity, error) {
		panic(http.ErrAbortHandler)
	})
	serve(middleware.Bearer(abort, nil)(whoami), "GET", "/", tokenAda)
}

// TestValidatorSeesNoState tests that a validator's context shows no results of other
// wrappers.
func TestValidatorSeesNoState(t *testing.T) {
	type traceKey struct{}
	v := middleware.ValidatorFunc(func(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
		if id, ok := middleware.IdentityFromContext(ctx); ok {
			t.Errorf("the validator sees the identity %+v", id)
		}
		if ctx.Value(traceKey{}) != "trace" {
			t.Error("the validator does not see the request's own values")
		}
		return people.Validate(ctx, c)
	})
	r := httptest.NewRequest("GET", "/", nil)
	r = r.WithContext(context.WithValue(r.Context(), traceKey{}, "trace"))
	r.Header.Set("X-API-KEY", "key-app")
	r.Header.Set("Authorization", "Bearer token-ada")
	w := httptest.NewRecorder()
	middleware.Chain(key, middleware.Bearer(v, nil))(whoami).ServeHTTP(w, r)
	identity(t, w)
}

func TestCredentialHidesItsSecret(t *testing.T) {
	c := middleware.Credential{Scheme: middleware.SchemeBasic, Username: "ada", Secret: "s3cret"}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "c", c, "wrapped", []any{c})
	js, err := json.Marshal(c)
	all := fmt.Sprintf("%v %+v %#v %s %q %x %v", c, c, c, c, c, c, &c) + log.String() + string(js)
	if err != nil || strings.Contains(all, "s3cret") || strings.Contains(all, "733363726574") {
		t.Errorf("got %s, %v", all, err)
	}
}

func TestS07S08Wiring(t *testing.T) {
	for name, wire := range map[string]func(){
		"APIKey without validator": func() { middleware.APIKey(nil, nil) },
		"Basic without validator":  func() { middleware.Basic(nil, nil) },
		"Bearer without validator": func() { middleware.Bearer(nil, nil) },
		"nil handler":              func() { bearer(nil) },
		"nil wrapper":              func() { middleware.Chain(key, nil) },
		"header name":              func() { middleware.APIKey(people, &middleware.APIKeyConfig{Header: "X Y"}) },
		"no scope":                 func() { middleware.Scope() },
		"empty scope":              func() { middleware.Scope("") },
		"two scopes in one":        func() { middleware.Scope("a b") },
		"QuerySafe":                func() { middleware.Bearer(people, &middleware.BearerConfig{QuerySafe: []string{""}}) },
		"nil meter":                func() { middleware.Usage(nil, nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: accepted", name)
				}
			}()
			wire()
		}()
	}
	for name, guard := range map[string]middleware.Wrapper{"Scope": middleware.Scope("a"), "Usage": middleware.Usage(&tally{}, nil)} {
		if w := serve(guard(whoami), "GET", "/"); w.Code != 500 || code(w) != "AUTH-8" {
			t.Errorf("%s in front of an open handler: got %d %s", name, w.Code, w.Body)
		}
	}
}

// TestTimeoutHandler runs wrappers that outlive the request. The race detector fails
// the test if the identity is not published atomically.
func TestTimeoutHandler(t *testing.T) {
	release, done := make(chan struct{}), make(chan struct{})
	slow := middleware.ValidatorFunc(func(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
		<-release
		return people.Validate(ctx, c)
	})
	inner := http.TimeoutHandler(middleware.Bearer(slow, nil)(
		http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(done) })), time.Millisecond, "")
	outer := key(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(w, r)
		close(release)
		for {
			if id, _ := middleware.IdentityFromContext(r.Context()); id.User == "ada" {
				break
			}
		}
	}))
	serve(outer, "GET", "/", keyApp, tokenAda)
	<-done
}

// opaqueHandler does nothing. It is a variable, so that the compiler cannot inline
// it.
var opaqueHandler http.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
