package idp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
)

// askTime is the time of the credentials that introspect judges.
var askTime = time.Unix(1_900_000_000, 0)

// An endpoint gives the same answer to every question until it is told another.
type endpoint struct {
	mu     sync.Mutex
	answer func(r *http.Request) (*http.Response, error)
	asked  atomic.Int64
}

func (e *endpoint) RoundTrip(r *http.Request) (*http.Response, error) {
	e.asked.Add(1)
	e.mu.Lock()
	answer := e.answer
	e.mu.Unlock()
	return answer(r)
}

func (e *endpoint) does(answer func(r *http.Request) (*http.Response, error)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer = answer
}

func (e *endpoint) answers(status int, body string) {
	e.does(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
	})
}

// askWith returns the configuration of an API whose issuer is asked at e.
func askWith(e *endpoint) (idp.Config, idp.IntrospectionConfig) {
	cfg := idp.Config{Issuers: []string{"https://id.example"}, Audience: []string{"api"}, HTTPClient: &http.Client{Transport: e}}
	return cfg, idp.IntrospectionConfig{Endpoint: "https://id.example/introspect", ClientID: "rs", ClientSecret: "secret"}
}

func introspection(t testing.TB, e *endpoint, changes ...func(*idp.Config, *idp.IntrospectionConfig)) *idp.Introspector {
	t.Helper()
	cfg, ask := askWith(e)
	for _, change := range changes {
		change(&cfg, &ask)
	}
	v, err := idp.OpenIntrospection(t.Context(), cfg, ask)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// introspect returns the verdict on a token at askTime.
func introspect(t testing.TB, v middleware.Validator, token string) (*middleware.Identity, error) {
	t.Helper()
	c := middleware.Credential{Scheme: middleware.SchemeBearer, Secret: token}
	id, err := v.Validate(t.Context(), c.At(askTime))
	if (id == nil) == (err == nil) {
		t.Errorf("got both or neither of %+v and %v", id, err)
	}
	return id, err
}

// active is an answer that accepts a person's token, with changes; nil removes a member.
func active(changes members) string {
	b, _ := json.Marshal(changed(members{
		"active": true, "iss": "https://id.example", "aud": "api", "exp": askTime.Unix() + 3600, "client_id": "app", "sub": "ada",
		"username": "lovelace", "scope": "a b", "jti": "1", "token_type": "Bearer", "extra": []int{1},
	}, changes))
	return string(b)
}

// TestIntrospectionRequest tests each way to authenticate, at a real server (RFC 7662
// section 2.1).
func TestIntrospectionRequest(t *testing.T) {
	for name, tt := range map[string]struct {
		ask           idp.IntrospectionConfig
		authorization string
		form          url.Values
	}{
		"basic":          {idp.IntrospectionConfig{ClientID: "r:s %", ClientSecret: "s +é"}, "Basic ciUzQXMrJTI1OnMrJTJCJUMzJUE5", nil},
		"basic by name":  {idp.IntrospectionConfig{ClientID: "rs", ClientSecret: "x", Method: idp.ClientSecretBasic}, "Basic cnM6eA==", nil},
		"form":           {idp.IntrospectionConfig{ClientID: "r:s", ClientSecret: "s&x", Method: idp.ClientSecretPost}, "", url.Values{"client_id": {"r:s"}, "client_secret": {"s&x"}}},
		"bearer":         {idp.IntrospectionConfig{BearerToken: func(context.Context) (string, error) { return "t2", nil }}, "Bearer t2", nil},
		"nothing at all": {idp.IntrospectionConfig{AllowUnauthenticated: true}, "", nil},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != "POST" || r.URL.RawQuery != "" || r.Header.Get("Authorization") != tt.authorization ||
				r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.Header.Get("Accept") != "application/json" {
				t.Errorf("%s: got %s %v", name, r.Method, r.Header)
			}
			want := url.Values{"token": {"a&b=c+"}, "token_type_hint": {"access_token"}}
			maps.Copy(want, tt.form)
			if body, _ := io.ReadAll(r.Body); string(body) != want.Encode() {
				t.Errorf("%s: got %s, want %s", name, body, want.Encode())
			}
			io.WriteString(w, active(nil))
		}))
		tt.ask.Endpoint = server.URL
		v, err := idp.OpenIntrospection(t.Context(), idp.Config{Issuers: []string{"https://id.example"}, Audience: []string{"api"}}, tt.ask)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := introspect(t, v, "a&b=c+"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		server.Close()
	}
}

// TestIntrospectionIdentity tests all that an identity has from an answer.
func TestIntrospectionIdentity(t *testing.T) {
	e := &endpoint{}
	e.answers(200, " "+active(nil)+"\n")
	id, err := introspect(t, introspection(t, e), "token")
	if err != nil {
		t.Fatal(err)
	}
	if id.Issuer != "https://id.example" || id.Client != "app" || id.User != "ada" || id.Scopes != "a b" || id.TokenID != "1" || id.Audience != "api" ||
		id.Methods != middleware.ByToken || id.SigningKeyID != "" || !id.Expires.Equal(askTime.Add(time.Hour)) {
		t.Errorf("got %+v", id)
	}
	var claims struct {
		Extra []int `json:"extra"`
	}
	if err := id.DecodeClaims(&claims); err != nil || len(claims.Extra) != 1 || id.Claims() != active(nil) {
		t.Errorf("got claims %s: %v", id.Claims(), err)
	}
}

// TestIntrospectionDiscovery finds the endpoint in the issuer's metadata.
func TestIntrospectionDiscovery(t *testing.T) {
	const at = "https://ask.example/introspect"
	with := func(changes members) string { return metadata(changed(members{"introspection_endpoint": at}, changes)) }
	loopback := func(s *site, c *idp.Config) { c.Issuers = []string{"http://sso.internal"} }
	allowed := func(s *site, c *idp.Config) { loopback(s, c); c.AllowHTTP = true }
	internal := func(endpoint string) string {
		return with(members{"issuer": "http://sso.internal", "introspection_endpoint": endpoint})
	}
	const internalAt = "http://sso.internal/.well-known/openid-configuration"

	for name, tt := range map[string]struct {
		pages  map[string]string
		change func(*site, *idp.Config)
		wants  []string // in the error; none for success
	}{
		"RFC 8414":                   {map[string]string{rfc8414At: with(nil)}, nil, nil},
		"OpenID Connect":             {map[string]string{oidcAt: with(nil)}, nil, nil},
		"without keys":               {map[string]string{oidcAt: with(members{"jwks_uri": nil})}, nil, nil},
		"the second has it":          {map[string]string{rfc8414At: metadata(nil), oidcAt: with(nil)}, nil, nil},
		"another issuer":             {map[string]string{oidcAt: with(members{"issuer": "https://evil.example"})}, nil, []string{"https://evil.example", iss}},
		"no endpoint":                {map[string]string{rfc8414At: metadata(nil), oidcAt: metadata(nil)}, nil, []string{"no introspection_endpoint", "set Endpoint"}},
		"an endpoint that is a list": {map[string]string{oidcAt: with(members{"introspection_endpoint": []string{at}})}, nil, []string{"no introspection_endpoint"}},
		"an http endpoint":           {map[string]string{oidcAt: with(members{"introspection_endpoint": "http://ask.example/"})}, nil, []string{"introspection_endpoint", "https"}},
		"loopback in an https page":  {map[string]string{oidcAt: with(members{"introspection_endpoint": "http://127.0.0.1/"})}, nil, []string{"introspection_endpoint is http"}},
		"neither page":               {nil, nil, []string{rfc8414At, oidcAt, "404"}},
		"a redirect elsewhere":       {map[string]string{oidcAt: "-> https://evil.example/", "https://evil.example/": with(nil)}, nil, []string{"another host"}},
		"a template": {nil, func(_ *site, c *idp.Config) {
			c.Issuers, c.AllowAnyTenant = []string{"https://id.example/{tenant}"}, true
		}, []string{"template", "set Endpoint"}},
		"an issuer that is no URL":    {nil, func(_ *site, c *idp.Config) { c.Issuers = []string{"id.example"} }, []string{"set Endpoint"}},
		"http":                        {map[string]string{internalAt: internal("http://sso.internal/ask")}, loopback, []string{"https"}},
		"http by AllowHTTP":           {map[string]string{internalAt: internal("http://sso.internal/ask")}, allowed, nil},
		"AllowHTTP, but another host": {map[string]string{internalAt: internal("http://evil.internal/ask")}, allowed, []string{"introspection_endpoint", "https"}},
	} {
		s := &site{pages: map[string]string{at: active(members{"iss": iss}), "http://sso.internal/ask": active(members{"iss": nil})}}
		for url, body := range tt.pages {
			s.set(url, body)
		}
		cfg := remoteConfig(s)
		if tt.change != nil {
			tt.change(s, &cfg)
		}
		v, err := idp.OpenIntrospection(t.Context(), cfg, idp.IntrospectionConfig{ClientID: "rs", ClientSecret: "secret"})
		if tt.wants == nil && err != nil || tt.wants != nil && (err == nil || v != nil || !says(err.Error(), "OpenIntrospection", tt.wants...)) {
			t.Errorf("%s: got %v, want an error that says %q", name, err, tt.wants)
		}
		if err == nil {
			if _, err := introspect(t, v, "token"); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestIntrospectionConfig tests that an error names every fault, and no secret.
func TestIntrospectionConfig(t *testing.T) {
	static := staticKeys(t, "k1", "EdDSA")
	bearer := func(context.Context) (string, error) { return "t", nil }
	for name, tt := range map[string]struct {
		change func(*idp.Config, *idp.IntrospectionConfig)
		wants  []string // in the error; none for success
	}{
		"good": {func(*idp.Config, *idp.IntrospectionConfig) {}, nil},
		"nothing": {func(c *idp.Config, a *idp.IntrospectionConfig) { *c, *a = idp.Config{}, idp.IntrospectionConfig{} },
			[]string{"no Issuers", "neither Audience nor Clients", "no ClientID", "no ClientSecret"}},
		"unused fields": {func(c *idp.Config, _ *idp.IntrospectionConfig) {
			c.JWKSURL, c.Keys, c.Types, c.AllowEmptyStart, c.Refresh, c.MaxStale = "https://x.example", static, []string{}, true, time.Hour, 48*time.Hour
		}, []string{"JWKSURL, Keys, Types, AllowEmptyStart, Refresh, MaxStale"}},
		"a preset with a key set": {func(c *idp.Config, _ *idp.IntrospectionConfig) { *c = idp.Supabase("https://x.example") }, []string{"JWKSURL"}},
		"a preset's faults":       {func(c *idp.Config, _ *idp.IntrospectionConfig) { *c = idp.Hydra("https://x.example", "") }, []string{"Hydra: no audience"}},
		"every fault": {func(c *idp.Config, a *idp.IntrospectionConfig) {
			c.Issuers, c.Audience, c.Leeway, c.Refresh = []string{"https://x.example/{tenant}"}, []string{""}, time.Hour, time.Hour
			*a = idp.IntrospectionConfig{Endpoint: "https://u:s3cret@id.example", ClientSecret: "s3cret", Method: "private_key_jwt", Timeout: 5, AllowAnyAudience: true}
		}, []string{"is a template", "Audience holds", "Leeway is 1h", "does not use Refresh", "the Endpoint", "user information", "no ClientID",
			`Method is "private_key_jwt"`, "Timeout is 5ns", "AllowAnyAudience is set beside"}},
		"an endpoint that does not parse": {func(_ *idp.Config, a *idp.IntrospectionConfig) { a.Endpoint = "https://u:s3cret@id.example/%zz" }, []string{"does not parse"}},
		"a negative timeout":              {func(_ *idp.Config, a *idp.IntrospectionConfig) { a.Timeout = -time.Second }, []string{"Timeout is -1s"}},
		"any audience beside clients": {func(c *idp.Config, a *idp.IntrospectionConfig) {
			c.Audience, c.Clients, a.AllowAnyAudience = nil, []string{"x"}, true
		}, []string{"AllowAnyAudience"}},
		"any audience": {func(c *idp.Config, a *idp.IntrospectionConfig) { c.Audience, a.AllowAnyAudience = nil, true }, nil},

		"a bearer token beside a client": {func(_ *idp.Config, a *idp.IntrospectionConfig) { a.BearerToken = bearer }, []string{"BearerToken is set beside"}},
		"two ways without a client": {func(_ *idp.Config, a *idp.IntrospectionConfig) {
			*a = idp.IntrospectionConfig{Endpoint: a.Endpoint, BearerToken: bearer, AllowUnauthenticated: true}
		}, []string{"both BearerToken and AllowUnauthenticated"}},
		"nothing beside a client": {func(_ *idp.Config, a *idp.IntrospectionConfig) { a.AllowUnauthenticated = true }, []string{"AllowUnauthenticated is set beside"}},

		"http":                 {func(_ *idp.Config, a *idp.IntrospectionConfig) { a.Endpoint = "http://id.example/" }, []string{"the Endpoint", `scheme is "http"`}},
		"http on loopback":     {func(_ *idp.Config, a *idp.IntrospectionConfig) { a.Endpoint = "http://127.0.0.1/" }, nil},
		"http by AllowHTTP":    {func(c *idp.Config, a *idp.IntrospectionConfig) { a.Endpoint, c.AllowHTTP = "http://id.example/", true }, nil},
		"no host by AllowHTTP": {func(c *idp.Config, a *idp.IntrospectionConfig) { a.Endpoint, c.AllowHTTP = "http:///ask", true }, []string{"the Endpoint", "with a host"}},
		"a password by AllowHTTP": {func(c *idp.Config, a *idp.IntrospectionConfig) {
			a.Endpoint, c.AllowHTTP = "http://u:s3cret@id.example/", true
		}, []string{"the Endpoint"}},
	} {
		cfg, ask := askWith(&endpoint{})
		tt.change(&cfg, &ask)
		v, err := idp.OpenIntrospection(t.Context(), cfg, ask)
		if (err == nil) != (tt.wants == nil) || (err == nil) != (v != nil) || err != nil && (!says(err.Error(), "OpenIntrospection", tt.wants...) || strings.Contains(err.Error(), "s3cret")) {
			t.Errorf("%s: got %v, want an error that says %q", name, err, tt.wants)
		}
	}

	var noContext context.Context
	cfg, ask := askWith(&endpoint{})
	if _, err := idp.OpenIntrospection(noContext, cfg, ask); err == nil || !strings.Contains(err.Error(), "nil Context") {
		t.Errorf("without a context: got %v", err)
	}
}

// TestIntrospectionWiring tests credentials and validators that a program should not have
// combined.
func TestIntrospectionWiring(t *testing.T) {
	for name, tt := range map[string]struct {
		v *idp.Introspector
		c middleware.Credential
	}{
		"an API key":     {introspection(t, &endpoint{}), middleware.Credential{Scheme: middleware.SchemeAPIKey, Secret: "k"}},
		"the zero value": {&idp.Introspector{}, middleware.Credential{Scheme: middleware.SchemeBearer, Secret: "t"}},
	} {
		_, err := tt.v.Validate(t.Context(), tt.c)
		if e, ok := errors.AsType[*errorsx.Error](err); !ok || e.OAuthError != "server_error" {
			t.Errorf("%s: got %v, want a fault in wiring", name, err)
		}
	}
	if _, err := middleware.NewCache(introspection(t, &endpoint{}), 100, nil); err == nil {
		t.Error("a cache without a TTL: no error")
	}
}

// TestIntrospectorPrintsNoSecret prints validators and configurations.
func TestIntrospectorPrintsNoSecret(t *testing.T) {
	var log strings.Builder
	for _, method := range []idp.ClientAuthMethod{"", idp.ClientSecretPost} {
		v := introspection(t, &endpoint{}, func(_ *idp.Config, a *idp.IntrospectionConfig) { a.ClientSecret, a.Method = "s3cret", method })
		ask := idp.IntrospectionConfig{ClientID: "rs", ClientSecret: "s3cret", Method: method}
		for _, v := range []any{v, *v, ask, &ask, []any{ask}} {
			fmt.Fprintf(&log, "%v %+v %#v %s", v, v, v, v)
			slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
			slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		}
	}
	for _, leak := range []string{"s3cret", "cnM6czNjcmV0"} {
		if strings.Contains(log.String(), leak) {
			t.Errorf("printed %q in %s", leak, log.String())
		}
	}
}

// TestIntrospectionFailure tests that a fault of the endpoint does not refuse the
// token, and that no cache remembers it as a refusal (C03).
func TestIntrospectionFailure(t *testing.T) {
	hangs := func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() }
	for name, breaks := range map[string]func(e *endpoint){
		"unreachable": func(e *endpoint) {
			e.does(func(*http.Request) (*http.Response, error) { return nil, errors.New("down") })
		},
		"wrong secret": func(e *endpoint) { e.answers(401, `{"active":false}`) },
		"400":          func(e *endpoint) { e.answers(400, `{"active":false}`) },
		"500":          func(e *endpoint) { e.answers(500, active(nil)) },
		"204":          func(e *endpoint) { e.answers(204, "") },
		"304":          func(e *endpoint) { e.answers(304, active(nil)) },
		"HTML":         func(e *endpoint) { e.answers(200, "<html>") },
		"hangs":        func(e *endpoint) { e.does(hangs) },
		"panics":       func(e *endpoint) { e.does(func(*http.Request) (*http.Response, error) { panic("broken") }) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := &endpoint{}
				v := introspection(t, e)
				c := newCache(t, v, 100, middleware.CacheConfig{})
				breaks(e)
				for _, v := range []middleware.Validator{v, c} {
					began := time.Now()
					if code := ask(t, v, "token"); code != errorsx.Internal {
						t.Errorf("got %v, want a failure of ours", code)
					}
					if d := time.Since(began); d > 2*time.Second {
						t.Errorf("took %v", d)
					}
				}
				synctest.Wait()
				e.answers(200, active(members{"exp": nil}))
				for _, v := range []middleware.Validator{v, c} {
					if code := ask(t, v, "token"); code != 0 {
						t.Errorf("once it answers: got %v", code)
					}
				}
			})
		})
	}
}

// TestIntrospectionTimeout tests that the field bounds the question, and BearerToken too.
func TestIntrospectionTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() }
		for name, change := range map[string]func(*idp.Config, *idp.IntrospectionConfig){
			"the endpoint": func(_ *idp.Config, a *idp.IntrospectionConfig) { a.Timeout = 30 * time.Second },
			"BearerToken": func(_ *idp.Config, a *idp.IntrospectionConfig) {
				*a = idp.IntrospectionConfig{Endpoint: a.Endpoint, BearerToken: slow, Timeout: 30 * time.Second}
			},
		} {
			e := &endpoint{}
			e.does(func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() })
			began := time.Now()
			code := ask(t, introspection(t, e, change), "token")
			if took := time.Since(began); code != errorsx.Internal || took != 30*time.Second {
				t.Errorf("%s: got %v after %v", name, code, took)
			}
		}
	})
}

// TestIntrospectionBearerFails tests that a BearerToken that fails is a failure of the
// server, and that the endpoint is not asked.
func TestIntrospectionBearerFails(t *testing.T) {
	for name, bearer := range map[string]func(context.Context) (string, error){
		"an error":     func(context.Context) (string, error) { return "", errors.New("no token") },
		"an empty one": func(context.Context) (string, error) { return "", nil },
		"a panic":      func(context.Context) (string, error) { panic("broken") },
	} {
		e := &endpoint{}
		e.answers(200, active(nil))
		v := introspection(t, e, func(_ *idp.Config, a *idp.IntrospectionConfig) {
			*a = idp.IntrospectionConfig{Endpoint: a.Endpoint, BearerToken: bearer}
		})
		if _, err := introspect(t, v, "token"); errorsx.From(err).Code != errorsx.Internal || e.asked.Load() != 0 {
			t.Errorf("%s: got %v after %d questions", name, err, e.asked.Load())
		}
	}
}

// TestS09Introspection tests that secret and token are sent to no other server and
// appear in no error, and that an endless answer is cut off.
func TestS09Introspection(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { t.Errorf("%s was asked", r.URL) }))
	defer other.Close()
	for name, answer := range map[string]http.HandlerFunc{
		"redirect to another": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		},
		"redirect within": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/there" {
				t.Error("a redirect was followed")
			}
			http.Redirect(w, r, "/there", http.StatusPermanentRedirect)
		},
		"endless": func(w http.ResponseWriter, r *http.Request) {
			for err := error(nil); err == nil; {
				_, err = io.WriteString(w, strings.Repeat(" ", 1<<16))
			}
		},
	} {
		server := httptest.NewTLSServer(answer)
		cfg := idp.Config{Issuers: []string{"https://id.example"}, Audience: []string{"api"}, HTTPClient: server.Client()}
		v, err := idp.OpenIntrospection(t.Context(), cfg, idp.IntrospectionConfig{Endpoint: server.URL, ClientID: "rs", ClientSecret: "secret"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = introspect(t, v, "t0ken")
		if errorsx.From(err).Code != errorsx.Internal || strings.Contains(err.Error(), "t0ken") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v", name, err)
		}
		server.Close()
	}
}

// TestIntrospectionCached tests that many requests cause one call of the endpoint,
// and that there is another call once the answer may have changed.
func TestIntrospectionCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{}
		e.answers(200, active(members{"exp": nil}))
		c := newCache(t, introspection(t, e), 100, middleware.CacheConfig{TTL: 4 * time.Minute})
		check := func(when string, asked int64, want errorsx.Code) {
			t.Helper()
			for range 10 {
				if code := ask(t, c, "token"); code != want {
					t.Errorf("%s: got %v, want %v", when, code, want)
				}
			}
			if got := e.asked.Load(); got != asked {
				t.Errorf("%s: %d questions, want %d", when, got, asked)
			}
		}
		check("at first", 1, 0)
		e.answers(200, `{"active":false}`)
		time.Sleep(58 * time.Second)
		check("remembered", 1, 0)

		// The TTL has not passed, but an answer without exp is good for a minute.
		time.Sleep(3 * time.Second)
		check("revoked", 2, errorsx.UnknownToken)
		e.answers(200, active(members{"exp": time.Now().Unix() + 10}))
		time.Sleep(3 * time.Second)
		check("active again", 3, 0)
		time.Sleep(10 * time.Second)
		check("expired", 4, errorsx.TokenExpired)
	})
}
