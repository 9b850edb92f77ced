package main

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"testing"
)

func TestO15Metadata(t *testing.T) {
	w := sharedDemo(t)
	plain := w.do("GET", "/.well-known/oauth-authorization-server")
	plain.want(t, 200, "")
	for _, a := range []*answer{
		plain,
		w.do("GET", "/.well-known/oauth-authorization-server", // O15
			header("X-Forwarded-Host", "evil.example"), header("X-Forwarded-Proto", "https"), header("Forwarded", "host=evil.example")),
		w.do("GET", "/.well-known/oauth-authorization-server?issuer=evil.example"),
		w.raw("GET /.well-known/oauth-authorization-server HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"), // O15
	} {
		if a.body != plain.body {
			t.Errorf("the request changed it: %s", a.body)
		}
	}
	for name, want := range map[string]string{
		"issuer": w.url, "token_endpoint": w.url + "/oauth2/token", "jwks_uri": w.url + "/.well-known/jwks.json",
		"introspection_endpoint": w.url + "/oauth2/introspect", "revocation_endpoint": w.url + "/oauth2/revoke",
	} {
		if plain.text(name) != want {
			t.Errorf("%s is %q, want %q", name, plain.text(name), want)
		}
	}
	var lists struct {
		Responses *[]string `json:"response_types_supported"`
		Grants    []string  `json:"grant_types_supported"`
		Auth      []string  `json:"token_endpoint_auth_methods_supported"`
	}
	if err := json.Unmarshal([]byte(plain.body), &lists); err != nil {
		t.Fatal(err)
	}
	if lists.Responses == nil || len(*lists.Responses) != 0 {
		t.Errorf("response_types_supported is not [] in %s", plain.body)
	}
	if got := strings.Join(lists.Grants, " "); got != "client_credentials password refresh_token" {
		t.Errorf("grants %q", got)
	}
	if got := strings.Join(lists.Auth, " "); got != "client_secret_basic client_secret_post" {
		t.Errorf("authentication %q", got)
	}
	a := w.do("POST", "/.well-known/oauth-authorization-server")
	a.want(t, 405, "AUTH-6")
	if !strings.Contains(a.header.Get("Allow"), "GET") {
		t.Errorf("Allow is %q", a.header.Get("Allow"))
	}
}

// TestDiscoveryByIssuerAlone reads the issuer's openid-configuration: the RFC 8414
// document and two more members.
func TestDiscoveryByIssuerAlone(t *testing.T) {
	w := sharedDemo(t)
	a := w.do("GET", "/.well-known/openid-configuration")
	a.want(t, 200, "")
	if a.header.Get("Content-Type") != "application/json" {
		t.Errorf("Content-Type %q", a.header.Get("Content-Type"))
	}
	for _, other := range []*answer{
		w.do("GET", "/.well-known/openid-configuration?issuer=evil.example", header("X-Forwarded-Host", "evil.example")),
		w.raw("GET /.well-known/openid-configuration HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"),
	} {
		if other.body != a.body {
			t.Errorf("the request changed it: %s", other.body)
		}
	}

	var got, plain map[string]any
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(w.do("GET", "/.well-known/oauth-authorization-server").body), &plain); err != nil {
		t.Fatal(err)
	}
	want := maps.Clone(plain)
	want["subject_types_supported"] = []any{"public"}
	want["id_token_signing_alg_values_supported"] = []any{"ES256"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want the RFC 8414 document and two members more: %v", got, want)
	}
	for _, name := range []string{"subject_types_supported", "id_token_signing_alg_values_supported"} {
		if plain[name] != nil {
			t.Errorf("the RFC 8414 document has %s", name)
		}
	}
	if got["authorization_endpoint"] != nil || got["issuer"] != w.url {
		t.Errorf("issuer %v, authorization endpoint %v", got["issuer"], got["authorization_endpoint"])
	}
}

func TestJ29KeySetIsPublic(t *testing.T) {
	w := sharedDemo(t)
	a := w.do("GET", "/.well-known/jwks.json")
	a.want(t, 200, "")
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal([]byte(a.body), &set); err != nil || len(set.Keys) == 0 {
		t.Fatalf("%v: %s", err, a.body)
	}
	for _, k := range set.Keys { // J29
		if k["alg"] != "ES256" || k["use"] != "sig" || k["kty"] != "EC" || k["crv"] != "P-256" || k["kid"] == "" || k["kid"] == nil {
			t.Errorf("key %v", k)
		}
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
			if k[private] != nil {
				t.Errorf("the key shows %s", private)
			}
		}
	}
	w.do("POST", "/.well-known/jwks.json").want(t, 405, "AUTH-6")
}
