package idp_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/idp"
)

func introspection(t testing.TB, s *remote, changes ...func(*idp.IntrospectionConfig)) middleware.Validator {
	t.Helper()
	cfg := idp.IntrospectionConfig{ClientID: "rs", ClientSecret: "secret", Issuer: testIssuer, Client: s.client()}
	for _, change := range changes {
		change(&cfg)
	}
	v, err := idp.Introspection("https://id.example/introspect", cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// active is an answer that accepts a token, changed by the given pairs.
func active(changes members) string {
	b, _ := json.Marshal(changed(members{
		"active": true, "iss": testIssuer, "aud": testAudience, "exp": testTime.Unix() + 3600, "client_id": "app", "username": "ada",
		"sub": "u1", "scope": "a b", "jti": "1", "token_type": "Bearer", "extra": []int{1},
	}, changes))
	return string(b)
}

// TestIntrospectionRequest tests the request that the endpoint gets (RFC 7662 section
// 2.1).
func TestIntrospectionRequest(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		user, password, ok := r.BasicAuth()
		if r.Method != "POST" || !ok || user != "r%3As+%25" || password != "s+%2B%C3%A9" ||
			r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.Header.Get("Accept") != "application/json" {
			t.Errorf("got %s %v", r.Method, r.Header)
		}
		if string(body) != "token=a%26b%3Dc%2B&token_type_hint=access_token" || r.URL.RawQuery != "" {
			t.Errorf("got %s and %s", body, r.URL)
		}
		io.WriteString(w, active(nil))
	}))
	defer server.Close()
	v, err := idp.Introspection(server.URL, idp.IntrospectionConfig{ClientID: "r:s %", ClientSecret: "s +é", Issuer: testIssuer})
	if err != nil {
		t.Fatal(err)
	}
	id, code := judge(t, v, "a&b=c+", testTime)
	if code != 0 {
		t.Fatalf("refused with %v", code)
	}
	if id.Issuer != testIssuer || id.Client != "app" || id.User != "ada" || id.Scopes != "a b" || id.TokenID != "1" || id.Audience != testAudience ||
		id.Methods != middleware.ByToken || !id.Expires.Equal(testTime.Add(time.Hour)) {
		t.Errorf("got %+v", id)
	}
	var claims struct {
		Extra []int `json:"extra"`
	}
	if err := id.DecodeClaims(&claims); err != nil || len(claims.Extra) != 1 {
		t.Errorf("got claims %s: %v", id.Claims(), err)
	}
}

func TestIntrospectionJudges(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer string
		code   errorsx.Code
	}{
		{"active", active(nil), 0},
		{"blanks around", " " + active(nil) + "\n", 0},
		{"least", `{"active":true,"aud":["x","` + testAudience + `"]}`, 0},
		{"bEaReR", active(members{"token_type": "bEaReR"}), 0},
		{"token_use access_token", active(members{"token_use": "access_token"}), 0},
		{"cnf null", active(members{"cnf": json.RawMessage("null")}), 0},
		{"nbf now", active(members{"nbf": testTime.Unix()}), 0},

		{"inactive", `{"active":false}`, errorsx.UnknownToken},
		{"inactive, with more", active(members{"active": false}), errorsx.UnknownToken},
		{"inactive, with nonsense", `{"active":false,"exp":"x","scope":7}`, errorsx.UnknownToken},
		{"another issuer", active(members{"iss": testIssuer + "/"}), errorsx.UnknownToken},
		{"another audience", active(members{"aud": "x"}), errorsx.UnknownToken},
		{"no audience", active(members{"aud": nil}), errorsx.UnknownToken},
		{"bound to a key", active(members{"cnf": members{"jkt": "x"}}), errorsx.UnknownToken},
		{"bound, garbled", active(members{"cnf": "x"}), errorsx.UnknownToken},
		{"not yet valid", active(members{"nbf": testTime.Unix() + 1}), errorsx.UnknownToken},
		{"expired", active(members{"exp": testTime.Unix()}), errorsx.TokenExpired},
		{"expired in 1970", active(members{"exp": 0}), errorsx.TokenExpired},
		{"N_A", active(members{"token_type": "N_A"}), errorsx.WrongTokenType},
		{"DPoP", active(members{"token_type": "DPoP"}), errorsx.WrongTokenType},
		{"refresh_token", active(members{"token_type": "refresh_token"}), errorsx.WrongTokenType},
		{"token_use refresh_token", active(members{"token_use": "refresh_token"}), errorsx.WrongTokenType},
		{"typ Refresh", active(members{"typ": "Refresh"}), errorsx.WrongTokenType},

		{"typ a number", active(members{"typ": 7}), errorsx.Internal},
		{"typ a list", active(members{"typ": []string{"refresh"}}), errorsx.Internal},
		{"active missing", `{}`, errorsx.Internal},
		{"active null", `{"active":null}`, errorsx.Internal},
		{"active a string", active(members{"active": "true"}), errorsx.Internal},
		{"active a number", active(members{"active": 1}), errorsx.Internal},
		{"Active", active(members{"active": nil, "Active": true}), errorsx.Internal},
		{"active twice", `{"active":false,"active":true}`, errorsx.Internal},
		{"more behind", active(nil) + `{}`, errorsx.Internal},
		{"cut", active(nil)[:40], errorsx.Internal},
		{"empty", "", errorsx.Internal},
		{"HTML", "<html>", errorsx.Internal},
		{"null", "null", errorsx.Internal},
		{"true", "true", errorsx.Internal},
		{"a list", "[" + active(nil) + "]", errorsx.Internal},
		{"bad UTF-8", `{"active":true,"x":"` + "\xff" + `"}`, errorsx.Internal},
		{"exp a string", active(members{"exp": "4102444800"}), errorsx.Internal},
		{"nbf a string", active(members{"nbf": "1"}), errorsx.Internal},
		{"aud a number", active(members{"aud": []any{testAudience, 1}}), errorsx.Internal},
		{"iss a list", active(members{"iss": []string{testIssuer}}), errorsx.Internal},
		{"scope a list", active(members{"scope": []string{"a"}}), errorsx.Internal},
		{"scope with a tab", active(members{"scope": "a\tb"}), errorsx.Internal},
		{"client_id empty", active(members{"client_id": ""}), errorsx.Internal},
		{"username a number", active(members{"username": 7}), errorsx.Internal},
		{"username with NUL", active(members{"username": "a\x00"}), errorsx.Internal},
		{"token_type a number", active(members{"token_type": 7}), errorsx.Internal},
		{"over 1 MiB", active(nil) + strings.Repeat(" ", 1<<20), errorsx.Internal},
	} {
		s := &remote{}
		s.says(200, tt.answer)
		v := introspection(t, s, func(c *idp.IntrospectionConfig) { c.Audience = []string{testAudience} })
		if id, code := judge(t, v, "token", testTime); code != tt.code {
			t.Errorf("%s: got %+v, %v, want %v", tt.name, id, code, tt.code)
		}
	}
}

// TestIntrospectionUser tests that the configuration decides which member is the
// user.
func TestIntrospectionUser(t *testing.T) {
	for claim, want := range map[string]string{"": "ada", "username": "ada", "sub": "u1", "login": "lovelace", "absent": ""} {
		s := &remote{}
		s.says(200, active(members{"login": "lovelace"}))
		v := introspection(t, s, func(c *idp.IntrospectionConfig) { c.UserClaim = claim })
		if id, code := judge(t, v, "token", testTime); code != 0 || id.User != want {
			t.Errorf("%q: got %+v, %v", claim, id, code)
		}
	}
}

// TestIntrospectionFailure tests that a fault of the endpoint does not refuse the
// token, and that no cache remembers it as a refusal (C03).
func TestIntrospectionFailure(t *testing.T) {
	for name, breaks := range map[string]func(s *remote){
		"unreachable": func(s *remote) { s.fails() },
		"401":         func(s *remote) { s.says(401, `{"active":false}`) },
		"400":         func(s *remote) { s.says(400, `{"active":false}`) },
		"500":         func(s *remote) { s.says(500, active(nil)) },
		"204":         func(s *remote) { s.says(204, "") },
		"304":         func(s *remote) { s.says(304, active(nil)) },
		"HTML":        func(s *remote) { s.says(200, "<html>") },
		"hangs":       func(s *remote) { s.hangs() },
		"panics":      func(s *remote) { s.does(func(*http.Request) (*http.Response, error) { panic("broken") }) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &remote{}
				v := introspection(t, s)
				c := newCache(t, v, 100, middleware.CacheConfig{})
				breaks(s)
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
				s.says(200, active(members{"exp": nil}))
				for _, v := range []middleware.Validator{v, c} {
					if code := ask(t, v, "token"); code != 0 {
						t.Errorf("once it answers: got %v", code)
					}
				}
			})
		})
	}
}

// TestIntrospectionCached tests that many requests cause one call of the endpoint,
// and that there is another call once the answer may have changed.
func TestIntrospectionCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &remote{}
		s.says(200, active(members{"exp": nil}))
		c := newCache(t, introspection(t, s), 100, middleware.CacheConfig{})
		check := func(when string, fetches int64, want errorsx.Code) {
			t.Helper()
			for range 10 {
				if code := ask(t, c, "token"); code != want {
					t.Errorf("%s: got %v, want %v", when, code, want)
				}
			}
			if got := s.fetches.Load(); got != fetches {
				t.Errorf("%s: %d questions, want %d", when, got, fetches)
			}
		}
		check("at first", 1, 0)
		s.says(200, `{"active":false}`)
		check("remembered", 1, 0)
		time.Sleep(61 * time.Second)
		check("revoked", 2, errorsx.UnknownToken)
		s.says(200, active(members{"exp": time.Now().Unix() + 10}))
		time.Sleep(3 * time.Second)
		check("active again", 3, 0)
		time.Sleep(10 * time.Second)
		check("expired", 4, errorsx.TokenExpired)
	})
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
		server := httptest.NewServer(answer)
		v, err := idp.Introspection(server.URL, idp.IntrospectionConfig{ClientID: "rs", ClientSecret: "secret", Issuer: testIssuer})
		if err != nil {
			t.Fatal(err)
		}
		c := middleware.Credential{Scheme: middleware.SchemeBearer, Secret: "t0ken"}
		_, err = v.Validate(t.Context(), c)
		if errorsx.From(err).Code != errorsx.Internal || strings.Contains(err.Error(), "t0ken") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v", name, err)
		}
		server.Close()
	}
}

func TestIntrospectionConfig(t *testing.T) {
	good := idp.IntrospectionConfig{ClientID: "rs", ClientSecret: "secret", Issuer: testIssuer}
	for name, set := range map[string]func(*idp.IntrospectionConfig){
		"no client":      func(c *idp.IntrospectionConfig) { c.ClientID = "" },
		"no secret":      func(c *idp.IntrospectionConfig) { c.ClientSecret = "" },
		"no issuer":      func(c *idp.IntrospectionConfig) { c.Issuer = "" },
		"empty audience": func(c *idp.IntrospectionConfig) { c.Audience = []string{""} },
		"leeway":         func(c *idp.IntrospectionConfig) { c.Leeway = time.Hour },
	} {
		cfg := good
		set(&cfg)
		if _, err := idp.Introspection("https://id.example/", cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := idp.Introspection("http://id.example/", good); err == nil {
		t.Error("http is accepted")
	}
	v, err := idp.Introspection("https://id.example/", good)
	if err != nil {
		t.Fatal(err)
	}
	_, err = v.Validate(t.Context(), middleware.Credential{Scheme: middleware.SchemeAPIKey, Secret: "k"})
	if e, ok := errors.AsType[*errorsx.Error](err); !ok || e.OAuthError != "server_error" {
		t.Errorf("an API key: got %v, want a fault in wiring", err)
	}
}

// FuzzIntrospection tests that there is no identity unless the member active is true.
func FuzzIntrospection(f *testing.F) {
	f.Add(active(nil))
	f.Add(active(members{"active": false}))
	f.Add(active(members{"exp": 1}))
	f.Add(`{"active":"true"}`)
	f.Add(`{"active":true,"active":false}`)
	f.Add(`{"active":tru`)
	f.Add(`{"Active":true}`)
	f.Fuzz(func(t *testing.T, answer string) {
		s := &remote{}
		s.says(200, answer)
		id, code := judge(t, introspection(t, s), "token", testTime)
		var m map[string]json.RawMessage
		isActive := json.Unmarshal([]byte(answer), &m) == nil && string(m["active"]) == "true"
		if code == 0 && !isActive {
			t.Errorf("%q: got %+v", answer, id)
		}
		if isInactive := string(m["active"]) == "false"; code == errorsx.UnknownToken && !isActive && !isInactive {
			t.Errorf("%q: a verdict without one", answer)
		}
		if code == 0 && (!id.Scopes.Valid() || !id.Expires.IsZero() && !testTime.Before(id.Expires)) {
			t.Errorf("%q: got %+v", answer, id)
		}
	})
}
