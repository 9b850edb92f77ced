package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"strings"
	"testing"
	"time"
)

const (
	mimeForm = "application/x-www-form-urlencoded"
	mimeJSON = "application/json"

	userLogin    = "user_email@email.com"
	userPassword = "user_password"
)

// asDemoClient is the client authentication of the oauth2 system.
var asDemoClient = basic("demo-client", "demo-secret")

// basicOf returns Basic with this user-id and password, unencoded.
func basicOf(userPass string) option {
	return header("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(userPass)))
}

// multipartBody sends names and values in turn.
func multipartBody(pairs ...string) option {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		w.WriteField(pairs[i], pairs[i+1])
	}
	w.Close()
	return body(w.FormDataContentType(), b.String())
}

// wantOAuth checks status, code and OAuth error.
func (a *answer) wantOAuth(t *testing.T, status int, code, oauth string) {
	t.Helper()
	a.want(t, status, code)
	if got := a.text("error"); got != oauth {
		t.Errorf("error is %q, want %q; body %s", got, oauth, a.body)
	}
}

// tokens asks the oauth2 system's token endpoint, and expects to get some.
func tokens(t *testing.T, w *wire, pairs ...string) *answer {
	t.Helper()
	a := w.do("POST", "/oauth2/token", asDemoClient, form(pairs...))
	if a.status != 200 || a.text("access_token") == "" {
		t.Fatalf("%q: %d %s", pairs, a.status, a.body)
	}
	return a
}

func TestTokenEndpointReadsItsMediaTypes(t *testing.T) {
	w := sharedDemo(t)
	const json = `{"grant_type":"client_credentials","scope":"files"}`
	const urlencoded = "grant_type=client_credentials&scope=files"
	for _, tt := range []struct {
		name string
		body option
	}{
		{"urlencoded", body(mimeForm, urlencoded)},
		{"urlencoded with charset", body(mimeForm+"; charset=UTF-8", urlencoded)},
		{"urlencoded in upper case O03", body("APPLICATION/X-WWW-FORM-URLENCODED", urlencoded)},
		{"multipart", multipartBody("grant_type", "client_credentials", "scope", "files")},
		{"JSON", body(mimeJSON, json)},
		{"JSON with charset", body(mimeJSON+";charset=utf-8", json)},
		{"JSON without Content-Type O03", body("", json)},
		{"JSON as a form O03", body(mimeForm, json)},
		{"JSON with escapes", body(mimeJSON, `{"grant_\u0074ype":"client_credentials","scope":"fi\u006ces"}`)},
		{"unknown parameters", body(mimeForm, urlencoded+"&x=1&x=2&resource[]=3")},
		{"unknown members", body(mimeJSON, `{"x":1,"x":[{"a":1,"a":null}],"grant_type":"client_credentials","scope":"files"}`)},
		{"unknown fields", multipartBody("x", "1", "x", "2", "grant_type", "client_credentials", "scope", "files")},
		{"64 KiB O04", body(mimeForm, padded(urlencoded, 64<<10))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.do("POST", "/oauth2/token", asDemoClient, tt.body)
			a.want(t, 200, "")
			if a.text("scope") != "files" {
				t.Errorf("scope is %q, want files", a.text("scope"))
			}
		})
	}
}

// padded is a form of n bytes.
func padded(form string, n int) string {
	form += "&x="
	return form + strings.Repeat("a", n-len(form))
}

func TestTokenEndpointRefusesUnreadableBodies(t *testing.T) {
	w := sharedDemo(t)
	const urlencoded = "grant_type=client_credentials"
	const json = `{"grant_type":"client_credentials"}`
	for _, tt := range []struct {
		name string
		body option
	}{
		{"text/plain O03", body("text/plain", urlencoded)},
		{"XML O03", body("application/xml", "<grant_type/>")},
		{"JSON under another type O03", body("text/json", json)},
		{"UTF-16 O03", body(mimeForm+"; charset=utf-16", urlencoded)},
		{"broken type O03", body(mimeJSON+"; x", json)},
		{"form without Content-Type O03", body("", urlencoded)},
		{"form as JSON O03", body(mimeJSON, urlencoded)},
		{"multipart without boundary", body("multipart/form-data", "--x\r\n")},
		{"multipart cut short", body("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\nclient_cred")},
		{"bad percent encoding O04", body(mimeForm, urlencoded+"&x=%zz")},
		{"semicolon O04", body(mimeForm, urlencoded+"&a;b")},
		{"64 KiB and a byte O04", body(mimeForm, padded(urlencoded, 64<<10+1))},
		{"1 MiB O04", body(mimeForm, padded(urlencoded, 1<<20))},
		{"array O05", body(mimeJSON, `[]`)},
		{"null O05", body(mimeJSON, `null`)},
		{"string O05", body(mimeJSON, `"grant_type"`)},
		{"two objects O05", body(mimeJSON, json+json)},
		{"trailing data O05", body(mimeJSON, json+"x")},
		{"byte order mark O05", body(mimeJSON, "\ufeff"+json)},
		{"cut short O05", body(mimeJSON, `{"grant_type":"client_credentials"`)},
		{"deep O05", body(mimeJSON, `{"x":`+strings.Repeat("[", 60000))},
		{"blanks O05", body(mimeJSON, "  ")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, path := range []string{"/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"} {
				w.do("POST", path, asDemoClient, tt.body).wantOAuth(t, 400, "AUTH-6", "invalid_request")
			}
		})
	}
	t.Run("two types O03", func(t *testing.T) {
		w.do("POST", "/oauth2/token", asDemoClient, form("grant_type", "client_credentials"),
			header("Content-Type", mimeForm)).wantOAuth(t, 400, "AUTH-6", "invalid_request")
	})
	t.Run("chunked and too long O04", func(t *testing.T) {
		a := w.raw("POST /oauth2/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n" +
			"Content-Type: " + mimeForm + "\r\n\r\n" +
			fmt.Sprintf("%x\r\n%s\r\n", 65537, padded(urlencoded, 65537)) + "0\r\n\r\n")
		a.wantOAuth(t, 400, "AUTH-6", "invalid_request")
	})
	t.Run("ends before its length O04", func(t *testing.T) {
		conn, err := net.Dial("tcp", w.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		io.WriteString(conn, "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nContent-Type: "+mimeForm+"\r\n\r\n"+urlencoded)
		conn.(*net.TCPConn).CloseWrite()
		readRaw(t, conn).wantOAuth(t, 400, "AUTH-6", "invalid_request")
	})
}

func TestTokenEndpointRefusesRepeatedParameters(t *testing.T) {
	w := sharedDemo(t)
	for _, name := range []string{"grant_type", "username", "password", "refresh_token", "scope", "client_id", "client_secret"} {
		t.Run(name+" O01", func(t *testing.T) {
			pairs := []string{name, "a", name, "a"}
			object := `{"` + name + `":"a","` + name + `":"a"}`
			for kind, b := range map[string]option{
				"urlencoded": form(pairs...), "multipart": multipartBody(pairs...), "JSON": body(mimeJSON, object),
				"one without value": body(mimeForm, name+"=&"+name+"=a"),
				"escaped name":      body(mimeJSON, strings.Replace(object, "_", `\u005f`, 1)),
			} {
				a := w.do("POST", "/oauth2/token", b)
				a.wantOAuth(t, 400, "AUTH-6", "invalid_request")
				if !strings.Contains(a.text("message"), name) {
					t.Errorf("%s: message %q does not name %s", kind, a.text("message"), name)
				}
			}
		})
	}
}

func TestTokenEndpointRefusesOtherJSONTypes(t *testing.T) {
	w := sharedDemo(t)
	for _, name := range []string{"grant_type", "username", "password", "refresh_token", "scope", "client_id", "client_secret"} {
		for _, value := range []string{"1", "true", "null", "{}", "[]", `["password"]`} {
			t.Run(name+" "+value+" O06", func(t *testing.T) {
				a := w.do("POST", "/oauth2/token", asDemoClient, body(mimeJSON, `{"`+name+`":`+value+`}`))
				a.wantOAuth(t, 400, "AUTH-6", "invalid_request")
				if !strings.Contains(a.text("message"), name) {
					t.Errorf("message %q does not name %s", a.text("message"), name)
				}
			})
		}
	}
}

func TestTokenEndpointReadsGrantTypeAloneFromTheQuery(t *testing.T) {
	w := sharedDemo(t)
	refresh := tokens(t, w, "grant_type", "password", "username", userLogin, "password", userPassword).text("refresh_token")
	for _, tt := range []struct {
		name, query string
		body        option
		status      int
		code, want  string // the granted scope, or the name in the message
	}{
		{"no body", "grant_type=client_credentials", form(), 200, "", "base"},
		{"empty JSON body", "grant_type=client_credentials", body(mimeJSON, ""), 200, "", "base"},
		{"no body and no type", "grant_type=client_credentials", body("", ""), 200, "", "base"},
		{"JSON without it", "grant_type=client_credentials", body(mimeJSON, `{"scope":"files"}`), 200, "", "files"},
		{"body's without value", "grant_type=client_credentials", body(mimeForm, "grant_type=&scope=files"), 200, "", "files"},
		{"body's wins O02", "grant_type=password", form("grant_type", "client_credentials"), 200, "", "base"},
		{"body's wins over an unknown one O02", "grant_type=x", form("grant_type", "client_credentials"), 200, "", "base"},
		{"body's wins as the oauth2 document has it O02", "grant_type=password",
			form("grant_type", "refresh_token", "refresh_token", refresh), 200, "", "base"},
		{"repeated O01", "grant_type=client_credentials&grant_type=client_credentials", form(), 400, "AUTH-6", "grant_type"},
		{"empty", "grant_type=", form(), 400, "AUTH-6", "grant_type"},
		{"other case", "Grant_Type=client_credentials", form(), 400, "AUTH-6", "grant_type"},
		{"scope in the query O02", "scope=files", form("grant_type", "client_credentials"), 200, "", "base"},
		{"user in the query O02", "username=" + userLogin + "&password=" + userPassword, form("grant_type", "password"), 400, "AUTH-6", "username"},
		{"password in the query O02", "password=" + userPassword, form("grant_type", "password", "username", userLogin), 400, "AUTH-6", "password"},
		{"refresh token in the query O02", "refresh_token=x", form("grant_type", "refresh_token"), 400, "AUTH-6", "refresh_token"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.do("POST", "/oauth2/token?"+tt.query, asDemoClient, tt.body)
			a.want(t, tt.status, tt.code)
			if tt.status == 200 && a.text("scope") != tt.want {
				t.Errorf("scope is %q, want %q", a.text("scope"), tt.want)
			}
			if tt.status != 200 && !strings.Contains(a.text("message"), tt.want) {
				t.Errorf("message %q does not name %s", a.text("message"), tt.want)
			}
		})
	}
	t.Run("client in the query O02", func(t *testing.T) {
		w.do("POST", "/oauth2/token?client_id=demo-client&client_secret=demo-secret", form("grant_type", "client_credentials")).
			wantOAuth(t, 401, "AUTH-2", "invalid_client")
	})
}

func TestTokenEndpointChecksInOrder(t *testing.T) {
	w := sharedDemo(t)
	t.Run("method before size", func(t *testing.T) {
		w.rawTarget("PUT", "/oauth2/token", "Content-Length: 70000").wantOAuth(t, 405, "AUTH-6", "invalid_request")
	})
	wrong := basic("demo-client", "wrong")
	for _, tt := range []struct {
		name        string
		auth, body  option
		status      int
		code, oauth string
	}{
		{"size before client", wrong, body(mimeForm, padded("", 70000)), 400, "AUTH-6", "invalid_request"},
		{"syntax before client", wrong, body(mimeJSON, "{"), 400, "AUTH-6", "invalid_request"},
		{"repeats before client", wrong, form("scope", "a", "scope", "b"), 400, "AUTH-6", "invalid_request"},
		{"client before grant", wrong, form("grant_type", "x"), 401, "AUTH-1", "invalid_client"},
		{"client before missing grant", wrong, form(), 401, "AUTH-1", "invalid_client"},
		{"grant before its parameters", asDemoClient, form("grant_type", "x"), 400, "AUTH-6", "unsupported_grant_type"},
		{"parameters before scope", asDemoClient, form("grant_type", "password", "username", userLogin, "scope", "nope"), 400, "AUTH-6", "invalid_request"},
		{"user before scope", asDemoClient, form("grant_type", "password", "username", userLogin, "password", "wrong", "scope", "nope"), 400, "AUTH-1", "invalid_grant"},
		{"refresh token before scope", asDemoClient, form("grant_type", "refresh_token", "refresh_token", "x", "scope", "nope"), 400, "AUTH-12", "invalid_grant"},
		{"scope last", asDemoClient, form("grant_type", "password", "username", userLogin, "password", userPassword, "scope", "nope"), 400, "AUTH-7", "invalid_scope"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.do("POST", "/oauth2/token", tt.auth, tt.body).wantOAuth(t, tt.status, tt.code, tt.oauth)
		})
	}
}

func TestTokenEndpointsArePOSTOnly(t *testing.T) {
	w := sharedDemo(t)
	for _, path := range []string{"/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"} {
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"} {
			t.Run(method+" "+path+" O09", func(t *testing.T) {
				a := w.do(method, path+"?grant_type=client_credentials&token=x", asDemoClient)
				if a.status != 405 || a.header.Get("Allow") != "POST" {
					t.Errorf("got %d, Allow %q, want 405, POST", a.status, a.header.Get("Allow"))
				}
				if method != "HEAD" {
					a.wantOAuth(t, 405, "AUTH-6", "invalid_request")
				}
			})
		}
	}
}
