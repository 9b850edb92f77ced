package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"regexp"
	"strings"
	"testing"
	"time"
)

// jwtPart decodes the n-th part of a JWT.
func jwtPart(t *testing.T, token string, n int) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts, want 3", len(parts))
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(parts[n])
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// A system issues JWTs and has its own tokens.
type system struct {
	name, access, client, subject, scope string
	seconds                              float64
}

func jwtSystems(t *testing.T, w *wire) []system {
	t.Helper()
	password := []string{"grant_type", "password", "username", userLogin, "password", userPassword}
	at := func(a *answer) string { return a.text("access_token") }
	return []system{
		{"tiers user", at(w.do("POST", "/public/token", header("X-API-KEY", "my_api_key"), form(password...))), "demo-app", userLogin, "user", 86400},
		{"oauth2 client", at(tokens(t, w, "grant_type", "client_credentials", "scope", "files base")), "demo-client", "demo-client", "files base", 3600},
		{"oauth2 user", at(tokens(t, w, password...)), "demo-client", userLogin, "base", 3600},
		{"partner", at(w.do("POST", "/partner/tokens", basic("other-partner", "other-partner-secret"))), "other-partner", "other-partner", "onboarding", 3600},
	}
}

func TestAccessTokensAreSignedJWTs(t *testing.T) {
	w := sharedDemo(t)
	var keys struct{ Keys []map[string]string }
	json.Unmarshal([]byte(w.do("GET", "/.well-known/jwks.json").body), &keys)
	if len(keys.Keys) != 1 {
		t.Fatalf("%d keys, want 1", len(keys.Keys))
	}
	key := keys.Keys[0]
	point := []byte{4}
	for _, name := range []string{"x", "y"} {
		b, err := base64.RawURLEncoding.DecodeString(key[name])
		if err != nil || len(b) != 32 {
			t.Fatalf("%s is %q", name, key[name])
		}
		point = append(point, b...)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		t.Fatal(err)
	}
	audiences, ids := map[string]string{}, map[any]bool{}
	for _, s := range append(jwtSystems(t, w), jwtSystems(t, w)...) {
		h, c := jwtPart(t, s.access, 0), jwtPart(t, s.access, 1)
		if h["typ"] != "at+jwt" || h["alg"] != "ES256" || h["kid"] != key["kid"] || key["kid"] == "" {
			t.Errorf("%s: header %v, kid published %q", s.name, h, key["kid"])
		}
		if c["iss"] != w.url || c["sub"] != s.subject || c["client_id"] != s.client || c["scope"] != s.scope {
			t.Errorf("%s: claims %v", s.name, c)
		}
		iat, _ := c["iat"].(float64)
		exp, _ := c["exp"].(float64)
		if age := float64(time.Now().Unix()) - iat; age < 0 || age > 60 || exp-iat != s.seconds {
			t.Errorf("%s: iat %v, exp %v", s.name, c["iat"], c["exp"])
		}
		if jti, _ := c["jti"].(string); len(jti) < 22 || ids[c["jti"]] { // O17
			t.Errorf("%s: jti %v is short or repeated", s.name, c["jti"])
		}
		ids[c["jti"]] = true
		system, _, _ := strings.Cut(s.name, " ")
		aud, _ := c["aud"].(string)
		if other, ok := audiences[aud]; aud == "" || ok && other != system {
			t.Errorf("%s: audience %v is empty or that of %s", s.name, c["aud"], other)
		}
		audiences[aud] = system
		end := strings.LastIndex(s.access, ".")
		sum := sha256.Sum256([]byte(s.access[:end]))
		sig, err := base64.RawURLEncoding.DecodeString(s.access[end+1:])
		if err != nil || len(sig) != 64 ||
			!ecdsa.Verify(public, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
			t.Errorf("%s: the published key does not verify the signature", s.name)
		}
	}
}

func TestOpaqueTokensHaveAPrefixRandomnessAndAChecksum(t *testing.T) {
	w := sharedDemo(t)
	seen := map[string]bool{}
	prefixes := map[string]string{}
	for range 2 {
		for kind, token := range map[string]string{
			"refresh": passwordGrant(t, w).text("refresh_token"),
			"session": w.do("GET", "/api/login", basic("demo", "demo-password")).body,
		} {
			// 256 bits are 43 characters of 62, or more.
			m := regexp.MustCompile(`^([a-z]+(?:_[a-z]+)*)_([0-9A-Za-z_-]{44,})$`).FindStringSubmatch(token)
			if m == nil {
				t.Fatalf("%s token: %q", kind, token)
			}
			if seen[m[2]] || prefixes[kind] != "" && prefixes[kind] != m[1] {
				t.Errorf("%s token: %q repeats, or has another prefix than %q", kind, token, prefixes[kind])
			}
			seen[m[2]], prefixes[kind] = true, m[1]
		}
	}
	if prefixes["refresh"] == prefixes["session"] {
		t.Errorf("both kinds begin with %q", prefixes["refresh"])
	}
}

func TestIntrospection(t *testing.T) {
	w := sharedDemo(t)
	about := func(token string, pairs ...string) *answer {
		t.Helper()
		a := w.do("POST", "/oauth2/introspect", asDemoClient, form(append(pairs, "token", token)...))
		if a.status != 200 || a.header.Get("Cache-Control") != "no-store" || a.header.Get("Content-Type") != "application/json" {
			t.Errorf("got %d %v", a.status, a.header)
		}
		return a
	}
	client := tokens(t, w, "grant_type", "client_credentials", "scope", "files")
	user := passwordGrant(t, w)
	for _, tt := range []struct {
		name, token, scope, user string
		seconds                  float64
	}{
		{"client's access token", client.text("access_token"), "files", "", 3600},
		{"user's access token", user.text("access_token"), "base", userLogin, 3600},
		{"refresh token", user.text("refresh_token"), "base", userLogin, 30 * 86400},
	} {
		for _, hint := range []string{"", "access_token", "refresh_token", "x"} {
			t.Run(tt.name+" with hint "+hint, func(t *testing.T) {
				a := about(tt.token, "token_type_hint", hint)
				if tt.name == "refresh token" && hint != "refresh_token" {
					if strings.TrimSpace(a.body) != `{"active":false}` {
						t.Errorf("a resource server would accept it: %s", a.body)
					}
					return
				}
				if a.field("active") != true || a.text("scope") != tt.scope || a.text("client_id") != "demo-client" || a.text("username") != tt.user {
					t.Errorf("got %s", a.body)
				}
				exp, _ := a.field("exp").(float64)
				if left := exp - float64(time.Now().Unix()); left > tt.seconds || left < tt.seconds-60 {
					t.Errorf("%v s left, want %v", left, tt.seconds)
				}
				if tt.user != "" && a.text("sub") != tt.user {
					t.Errorf("sub is %q", a.text("sub"))
				}
			})
		}
	}
	refreshed := passwordGrant(t, w)
	refreshWith(w, refreshed.text("refresh_token"))
	revoked := passwordGrant(t, w)
	w.do("POST", "/oauth2/revoke", asDemoClient, form("token", revoked.text("access_token")))
	others := jwtSystems(t, w)
	tiersRefresh := w.do("POST", "/public/token", header("X-API-KEY", "my_api_key"),
		form("grant_type", "password", "username", userLogin, "password", userPassword)).text("refresh_token")
	for _, tt := range []struct{ name, token string }{
		{"unknown", "x"},
		{"unknown with a right checksum", "authtier_rt_0000000000000000000000000000000000000000000"},
		{"API key", "my_api_key"},
		{"client secret", "demo-secret"},
		{"used refresh token", refreshed.text("refresh_token")},
		{"revoked", revoked.text("access_token")},
		{"wrong signature", mistyped(client.text("access_token"), len(client.text("access_token"))-20)},
		{"truncated", client.text("access_token")[:80]},
		{"padded", client.text("access_token") + "="},
		{"line break", client.text("access_token") + "\n"},
		{"long", strings.Repeat("a", 60000)},
		{"another client's", others[0].access},
		{"another client's refresh token", tiersRefresh},
		{"another system's", others[3].access},
		{"session token", w.do("GET", "/api/login", basic("demo", "demo-password")).body},
	} {
		t.Run(tt.name+" O11", func(t *testing.T) {
			for _, hint := range []string{"", "access_token", "refresh_token"} {
				if a := about(tt.token, "token_type_hint", hint); strings.TrimSpace(a.body) != `{"active":false}` {
					t.Errorf("with hint %q: got %s", hint, a.body)
				}
			}
		})
	}
	w.do("POST", "/oauth2/introspect", asDemoClient, form()).wantOAuth(t, 400, "AUTH-6", "invalid_request")
	w.do("POST", "/oauth2/introspect?token="+client.text("access_token"), asDemoClient, form()).wantOAuth(t, 400, "AUTH-6", "invalid_request")
	w.do("POST", "/oauth2/introspect", asDemoClient, form("token", "a", "token", "a")).wantOAuth(t, 400, "AUTH-6", "invalid_request")
	refreshWith(w, user.text("refresh_token")).want(t, 200, "") // introspection does not count as a use
}

func TestRevocation(t *testing.T) {
	w := sharedDemo(t)
	revoke := func(token string, pairs ...string) {
		t.Helper()
		a := w.do("POST", "/oauth2/revoke", asDemoClient, form(append(pairs, "token", token)...))
		if a.status != 200 || strings.TrimSpace(a.body) != "{}" ||
			a.header.Get("Content-Type") != "application/json" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("got %d %v %q, want 200 with the body {}", a.status, a.header, a.body)
		}
	}
	used := func(access string, status int, code string) {
		t.Helper()
		w.do("GET", "/v1/me", bearer(access)).want(t, status, code)
	}
	t.Run("a refresh token takes its family along R08", func(t *testing.T) {
		first := passwordGrant(t, w)
		second := refreshWith(w, first.text("refresh_token"))
		revoke(second.text("refresh_token"), "token_type_hint", "access_token")
		used(first.text("access_token"), 401, "AUTH-12")
		used(second.text("access_token"), 401, "AUTH-12")
		refreshWith(w, second.text("refresh_token")).wantOAuth(t, 400, "AUTH-12", "invalid_grant")
	})
	t.Run("an access token goes alone R08", func(t *testing.T) {
		first := passwordGrant(t, w)
		second := refreshWith(w, first.text("refresh_token"))
		revoke(first.text("access_token"), "token_type_hint", "refresh_token")
		used(first.text("access_token"), 401, "AUTH-12")
		used(second.text("access_token"), 200, "")
		refreshWith(w, second.text("refresh_token")).want(t, 200, "")
	})
	t.Run("a client's access token goes alone", func(t *testing.T) {
		first, second := tokens(t, w, "grant_type", "client_credentials"), tokens(t, w, "grant_type", "client_credentials")
		revoke(first.text("access_token"))
		used(first.text("access_token"), 401, "AUTH-12")
		used(second.text("access_token"), 200, "")
	})
	t.Run("twice O13", func(t *testing.T) {
		a := passwordGrant(t, w)
		revoke(a.text("refresh_token"))
		revoke(a.text("refresh_token"))
		revoke(a.text("access_token"))
		used(a.text("access_token"), 401, "AUTH-12")
	})
	t.Run("what it does not know or own stays O13", func(t *testing.T) {
		key := header("X-API-KEY", "my_api_key")
		tiers := w.do("POST", "/public/token", key, form("grant_type", "password", "username", userLogin, "password", userPassword))
		partner := w.do("POST", "/partner/tokens", basic("demo-partner", "demo-partner-secret"))
		for _, token := range []string{
			"x", "a.b.c", "my_api_key", "demo-secret", tiers.text("access_token"), tiers.text("refresh_token"), partner.text("access_token"),
		} {
			revoke(token)
		}
		w.do("GET", "/user/me", key, bearer(tiers.text("access_token"))).want(t, 200, "")
		w.do("POST", "/public/token", key, form("grant_type", "refresh_token", "refresh_token", tiers.text("refresh_token"))).want(t, 200, "")
		w.do("GET", "/partner/", basic("demo-partner", partner.text("access_token"))).want(t, 200, "")
		w.do("GET", "/partner/", basic("demo-partner", "demo-partner-secret")).want(t, 200, "")
	})
	t.Run("a token with a wrong signature revokes nothing", func(t *testing.T) {
		token := tokens(t, w, "grant_type", "client_credentials").text("access_token")
		revoke(mistyped(token, len(token)-20))
		used(token, 200, "")
	})
	t.Run("without client or token", func(t *testing.T) {
		a := passwordGrant(t, w)
		w.do("POST", "/oauth2/revoke", form("token", a.text("refresh_token"))).wantOAuth(t, 401, "AUTH-2", "invalid_client")
		w.do("POST", "/oauth2/revoke", basic("demo-client", "wrong"), form("token", a.text("refresh_token"))).wantOAuth(t, 401, "AUTH-1", "invalid_client")
		w.do("POST", "/oauth2/revoke", asDemoClient, form()).wantOAuth(t, 400, "AUTH-6", "invalid_request")
		w.do("POST", "/oauth2/revoke?token="+a.text("refresh_token"), asDemoClient, form()).wantOAuth(t, 400, "AUTH-6", "invalid_request")
		refreshWith(w, a.text("refresh_token")).want(t, 200, "")
	})
}
