package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The answers to a request without credentials.
const (
	noTier    = "in no tier" // with any credentials
	keyTier   = "behind the API key"
	openTier  = "open"
	tokenTier = "behind a token of oauth2"
)

// The paths are sent unchanged. The answer to a request without credentials shows which
// tier a path is in. The answer to one with all credentials shows what it reaches.
func TestPathTricks(t *testing.T) {
	t.Parallel()
	w := sharedDemo(t)
	user, base := w.tiersGrant().text("access_token"), w.clientToken("base")
	nested := func(n int) string { return "/public/%" + strings.Repeat("25", n) + "41" }
	for _, tt := range []struct {
		id, method, target string
		tier               string
		admitted           int // status with all credentials; 0 if it does not matter
	}{
		{"P00", "GET", "/ext/ping", openTier, 200},
		{"P00", "GET", "/public/ping", keyTier, 200},
		{"P00", "GET", "/user/me", keyTier, 200},
		{"P00", "GET", "/pro/ping", keyTier, 200},
		{"P00", "GET", "/v1/me", tokenTier, 200},

		{"P01", "GET", "/ext/../user/me", noTier, 404},
		{"P01", "POST", "/ext/../public/token", noTier, 404},
		{"P01", "CONNECT", "/ext/../user/me", noTier, 404},
		{"P01", "GET", "/ext/./../user/me", noTier, 404},
		{"P01", "GET", "/public/../user/me", noTier, 404},
		{"P01", "GET", "/user/../public/ping", noTier, 404},
		{"P01", "GET", "/public/x/../../user/me", noTier, 404},
		{"P01", "GET", "/public/..", noTier, 404},
		{"P01", "GET", "/public/../", noTier, 404},
		{"P01", "GET", "/../user/me", noTier, 404},
		{"P01", "GET", "/./user/me", noTier, 404},
		{"P01", "GET", "/..", noTier, 404},
		{"P01", "CONNECT", "/public/../user/me", noTier, 404},
		{"P01 stays", "CONNECT", "/user/me", keyTier, 405},
		{"P01 stays", "GET", "/public/x/../ping", keyTier, 0},
		{"P01 stays", "GET", "/public/./ping", keyTier, 0},

		{"P02", "GET", "/ext/%2e%2e/user/me", noTier, 404},
		{"P02", "GET", "/public/%2E%2E/user/me", noTier, 404},
		{"P02", "GET", "/public/.%2e/user/me", noTier, 404},
		{"P02", "GET", "/public/%2E./user/me", noTier, 404},
		{"P02", "GET", "/public/..%2fuser/me", noTier, 404},
		{"P02", "GET", "/public/..%2Fuser%2Fme", noTier, 404},
		{"P02", "GET", "/public/%2e%2e%2fuser/me", noTier, 404},
		{"P02", "GET", "/public/..%5cuser/me", noTier, 404},
		{"P02", "GET", "/v1/img/..%2f..%2fext%2fping", noTier, 404},
		{"P02", "GET", "/v1/img/..%2f..%2f..%2fuser%2fme", noTier, 404},
		{"P02 stays", "GET", "/v1/img/a%2fb.png", tokenTier, 200},
		{"P02 stays", "GET", "/v1/img/..%2fme", tokenTier, 200},
		{"P02 stays", "GET", "/public/a%2eb", keyTier, 404},

		{"P03", "GET", "/public/%252e%252e/user/me", noTier, 404},
		{"P03", "GET", "/public/%25%32%65%25%32%65/user/me", noTier, 404},
		{"P03", "GET", "/public/..%252fuser/me", noTier, 404},
		{"P03", "GET", "/public/%25252e%25252e%25252fuser/me", noTier, 404},
		{"P03", "GET", "/public/%252e%252e%255cuser%255cme", noTier, 404},

		{"P04", "GET", "//user/me", noTier, 404},
		{"P04", "GET", "///user/me", noTier, 404},
		{"P04", "GET", "///", noTier, 404},
		{"P04", "GET", "//", noTier, 404},
		{"P04", "GET", "//evil/user/me", noTier, 404},
		{"P04", "GET", "//public/user/me", noTier, 404},
		{"P04", "GET", "//ext/ping", noTier, 404},
		{"P04", "GET", "/public/..//user/me", noTier, 404},
		{"P04", "GET", "/ext//user/me", openTier, 0},
		{"P04", "GET", "/public/x//../../user/me", noTier, 404},
		{"P04 stays", "GET", "/public//ping", keyTier, 0},
		{"P04 stays", "GET", "/public//user/me", keyTier, 0},

		{"P05", "GET", "/%75ser/me", keyTier, 200},
		{"P05", "GET", "/pub%6cic/ping", keyTier, 200},
		{"P05", "GET", "/user/%6De", keyTier, 200},
		{"P05", "GET", "/%65%78%74/ping", openTier, 200},
		{"P05", "GET", "/%55ser/me", noTier, 404},
		{"P05", "GET", "/%2575ser/me", noTier, 404},

		{"P06", "GET", "/user%2fme", noTier, 404},
		{"P06", "GET", "/public%2f..%2fuser", noTier, 404},
		{"P06", "GET", "/%2fuser/me", noTier, 404},
		{"P06", "GET", "%2fuser/me", "", 0},

		{"P07", "GET", `/user\me`, noTier, 404},
		{"P07", "GET", "/user%5cme", noTier, 404},
		{"P07", "GET", `/public\..\user/me`, noTier, 404},
		{"P07", "GET", `/public/..\user/me`, noTier, 404},
		{"P07", "GET", `/public/..\..\user\me`, noTier, 404},
		{"P07", "GET", `/\user/me`, noTier, 404},
		{"P07", "GET", `\user\me`, "", 0},
		{"P07", "GET", "/public/%255c..%255cuser/me", noTier, 404},
		{"P07", "GET", "/public/%255c..%255c..%255cuser/me", noTier, 404},
		{"P07 stays", "GET", `/public/a\b`, keyTier, 404},

		{"P08", "GET", "/ext/..;/user/me", noTier, 404},
		{"P08", "GET", "/public/..;/user/me", noTier, 404},
		{"P08", "GET", "/public/..;foo=bar/pro/ping", noTier, 404},
		{"P08", "GET", "/public/..%3b/user/me", noTier, 404},
		{"P08", "GET", "/public/%2e%2e%3bx/user/me", noTier, 404},
		{"P08", "GET", "/public/..%253b/user/me", noTier, 404},
		{"P08", "GET", "/user;a=b/me", noTier, 404},
		{"P08", "GET", "/public;/ping", noTier, 404},
		{"P08", "GET", "/;/user/me", noTier, 404},
		{"P08 stays", "GET", "/public/ping;a=b", keyTier, 404},
		{"P08 stays", "GET", "/v1/img/a;b", tokenTier, 200},

		{"P09", "GET", "/USER/me", noTier, 404},
		{"P09", "GET", "/User/me", noTier, 404},
		{"P09", "GET", "/Ext/ping", noTier, 404},
		{"P09", "GET", "/publiC/ping", noTier, 404},
		{"P09", "GET", "/public/../USER/me", noTier, 404},
		{"P09", "GET", "/%EF%BD%95ser/me", noTier, 404},
		{"P09", "GET", "/u%C5%BFer/me", noTier, 404},
		{"P09", "GET", "/ext%c0%afping", noTier, 404},
		{"P09", "GET", "/public/%ff", noTier, 404},
		{"P09", "GET", "/public/%c0%ae%c0%ae/user/me", noTier, 404},
		{"P09", "GET", "/public/\xff", noTier, 404},
		{"P09", "GET", "/v1/img/%c3", noTier, 404},
		{"P09", "GET", "/public/%ed%a0%80", noTier, 404},
		{"P09 stays", "GET", "/public/PING", keyTier, 404},
		{"P09 stays", "GET", "/v1/img/Gr%C3%BC%C3%9Fe.PNG", tokenTier, 200},
		{"P09 stays", "GET", "/public/%EF%BC%8E%EF%BC%8E/user/me", keyTier, 404},

		{"P10", "GET", "/user", keyTier, 404},
		{"P10", "GET", "/user/", keyTier, 404},
		{"P10", "GET", "/public", keyTier, 404},
		{"P10", "GET", "/pro", keyTier, 404},
		{"P10", "GET", "/ext", openTier, 404},
		{"P10", "GET", "/userx", noTier, 404},
		{"P10", "GET", "/userx/me", noTier, 404},
		{"P10", "GET", "/users", noTier, 404},
		{"P10", "GET", "/use", noTier, 404},
		{"P10", "GET", "/publicly/ping", noTier, 404},
		{"P10", "GET", "/user.", noTier, 404},
		{"P10", "GET", "/user./me", noTier, 404},
		{"P10", "GET", "/pro..", noTier, 404},
		{"P10", "GET", "/user%20", noTier, 404},
		{"P10", "GET", "/user%20/me", noTier, 404},
		{"P10", "GET", "/%20user/me", noTier, 404},
		{"P10", "GET", "/user%0a", noTier, 404},
		{"P10", "GET", "/user%0a/me", noTier, 404},
		{"P10", "GET", "/user%09/me", noTier, 404},
		{"P10", "GET", "/user%00", noTier, 404},
		{"P10", "GET", "/user%00/me", noTier, 404},
		{"P10", "GET", "/user%00x/me", noTier, 404},
		{"P10", "GET", "/user%3f/me", noTier, 404},
		{"P10", "GET", "/user%23/me", noTier, 404},
		{"P10", "GET", "/user%2e/me", noTier, 404},
		{"P10", "GET", "/public/..;%00/user/me", noTier, 404},
		{"P10 stays", "GET", "/user/me%0a", keyTier, 404},
		{"P10 stays", "GET", "/user/me.", keyTier, 404},
		{"P10 stays", "GET", "/user/me%00", keyTier, 404},
		{"P10 stays", "GET", "/v1/img/a%20b%3f%23.png", tokenTier, 200},

		{"P11", "GET", "http://h/user/me", keyTier, 200},
		{"P11", "GET", "http://h/ext/ping", openTier, 200},
		{"P11", "GET", "http:///user/me", keyTier, 200},
		{"P11", "GET", "http://u@h/user/me", keyTier, 200},
		{"P11", "GET", "http:/user/me", keyTier, 200},
		{"P11", "GET", "HTTPS://h:1/pro/ping", keyTier, 200},
		{"P11", "GET", "http://h/public/../user/me", noTier, 404},
		{"P11", "GET", "http://h//user/me", noTier, 404},
		{"P11", "GET", "http://h", noTier, 404},
		{"P11", "GET", "http://h?/ext/ping", noTier, 404},
		{"P11", "GET", "http://ext/user/me", keyTier, 200},

		{"P12", "GET", "http:user/me", noTier, 404},
		{"P12", "GET", "http:ext/ping", noTier, 404},
		{"P12", "GET", "mailto:x", noTier, 404},
		{"P12", "GET", "ext:", noTier, 404},
		{"P12", "CONNECT", "h:80", noTier, 404},
		{"P12", "CONNECT", "ext:80", noTier, 404},
		{"P12", "GET", "*", noTier, 404},
		{"P12", "POST", "*", noTier, 404},
		{"P12", "CONNECT", "*", noTier, 404},

		{"P13", "GET", "/user/me#f", keyTier, 404},
		{"P13", "GET", "/user/secret%23/ext/", keyTier, 404},
		{"P13", "GET", "/user#/me", noTier, 404},
		{"P13", "GET", "/ext/ping#/user/me", openTier, 404},

		{"P14", "GET", "/user/me?x=/ext/", keyTier, 200},
		{"P14", "GET", "/user/me?/public/", keyTier, 200},
		{"P14", "GET", "/user/me?/../../ext/ping", keyTier, 200},
		{"P14", "GET", "/ext/ping?/user/me", openTier, 200},
		{"P14", "GET", "/ext/ping?a;b=%zz", openTier, 200},

		{"over 2 KiB and plain", "GET", "/public/" + strings.Repeat("a", 4096), keyTier, 404},
		{"2 KiB and odd", "GET", "/public/" + strings.Repeat("a", 2048-8-3) + "%20", keyTier, 404},
		{"over 2 KiB and odd", "GET", "/public/" + strings.Repeat("a", 2049-8-3) + "%20", noTier, 404},
		{"over 2 KiB and odd", "GET", "/public/" + strings.Repeat("%20", 1000), noTier, 404},
		{"20 readings", "GET", nested(18), keyTier, 404},
		{"over 32 readings", "GET", nested(40), noTier, 404},
		{"over 32 readings", "GET", "/public/%" + strings.Repeat("25", 60) + "2e", noTier, 404},
	} {
		name := tt.id + " " + tt.method + " " + tt.target
		if len(name) > 80 {
			name = name[:80]
		}
		t.Run(name, func(t *testing.T) {
			a := w.rawTarget(tt.method, tt.target)
			switch tt.tier {
			case noTier:
				refusal{404, "AUTH-6", "invalid_request", "", ""}.check(t, a)
			case keyTier:
				refusal{401, "AUTH-2", "invalid_request", challengeKey, "X-API-KEY"}.check(t, a)
			case tokenTier:
				refusal{401, "AUTH-2", "invalid_request", challengeBare, "Authorization"}.check(t, a)
			case openTier:
				if tt.admitted != 0 && a.status != tt.admitted || a.text("client_id") != "" {
					t.Errorf("got %d %s, want %d", a.status, a.body, tt.admitted)
				}
			case "":
				a.want(t, 400, "") // refused before any handler
				return
			}
			token := user
			if strings.HasPrefix(tt.target, "/v1/") {
				token = base
			}
			a = w.rawTarget(tt.method, tt.target, "X-API-KEY: my_api_key", "Authorization: Bearer "+token)
			if tt.admitted != 0 && a.status != tt.admitted {
				t.Errorf("with credentials: got %d %s, want %d", a.status, a.body, tt.admitted)
			}
			if tt.admitted == 404 {
				refusal{404, "AUTH-6", "invalid_request", "", ""}.check(t, a)
			}
		})
	}
}

// A request line without a path gets the answer of a path that does not exist, also from
// the server that the command starts.
func TestAsteriskReachesNothing(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- demo(ctx, demoFlags{addr: "127.0.0.1:0", sessionTimeout: 5 * time.Minute}, in)
		in.Close()
	}()
	first, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, out)
	addr := strings.TrimPrefix(strings.TrimSpace(first), "listening on http://")
	w := &wire{t: t, url: "http://" + addr, addr: addr}
	for _, method := range []string{"OPTIONS", "GET", "TRACE"} {
		t.Run("P12 "+method+" *", func(t *testing.T) {
			refusal{404, "AUTH-6", "invalid_request", "", ""}.check(t, w.rawTarget(method, "*"))
		})
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// The path alone determines the tier, not the method or the headers.
func TestTierDependsOnThePathAlone(t *testing.T) {
	t.Parallel()
	w := sharedDemo(t)
	for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", "BREW"} {
		t.Run("H19 "+method, func(t *testing.T) {
			guarded := refusal{401, "AUTH-2", "invalid_request", challengeKey, "X-API-KEY"}
			for _, path := range []string{"/public/ping", "/user/me", "/pro/ping", "/public/token"} {
				guarded.check(t, w.rawTarget(method, path))
			}
			refusal{404, "AUTH-6", "invalid_request", "", ""}.check(t, w.rawTarget(method, "/nowhere"))
		})
	}
	t.Run("H19 HEAD", func(t *testing.T) {
		w.do("HEAD", "/user/me").want(t, 401, "")
		w.do("HEAD", "/nowhere").want(t, 404, "")
		w.do("HEAD", "/ext/ping").want(t, 200, "")
	})
	for _, line := range []string{
		"X-Original-URL: /ext/ping", "X-Rewrite-URL: /ext/ping", "X-Forwarded-Prefix: /ext", "X-Forwarded-Uri: /ext/ping",
		"X-Forwarded-Path: /ext/ping", "X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1", "User-Agent: kube-probe/1.30",
		"X-HTTP-Method-Override: OPTIONS", "Upgrade: websocket", "X-User: root", "X-Client-Id: demo-app",
	} {
		t.Run("P15 "+line, func(t *testing.T) {
			refusal{401, "AUTH-2", "invalid_request", challengeKey, "X-API-KEY"}.check(t, w.rawTarget("GET", "/user/me", line))
		})
	}
	t.Run("P15 away from an open path", func(t *testing.T) {
		wantPong(t, w.rawTarget("GET", "/ext/ping", "X-Original-URL: /user/me", "X-Rewrite-URL: /user/me"))
	})
	for _, path := range []string{"/public/ping", "/user/me", "/pro/ping"} {
		t.Run("H18 preflight of "+path, func(t *testing.T) {
			a := w.do("OPTIONS", path, header("Origin", "https://app.example.com"), header("Access-Control-Request-Method", "GET"),
				header("Access-Control-Request-Headers", "authorization,x-api-key"))
			refusal{401, "AUTH-2", "invalid_request", challengeKey, "X-API-KEY"}.check(t, a)
			for name := range a.header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("D08 %s: %s", name, a.header.Get(name))
				}
			}
		})
	}
}

// A credential that a tier does not need is ignored.
func TestUnneededCredentialsAreIgnored(t *testing.T) {
	t.Parallel()
	w := sharedDemo(t)
	user, base := w.tiersGrant(), w.clientToken("base")
	key := "X-API-KEY: my_api_key"
	for name, lines := range map[string][]string{
		"junk":             {"X-API-KEY: junk", "Authorization: junk", "X-Simplicite-Authorization: junk", "Cookie: JSESSIONID=junk"},
		"empty":            {"X-API-KEY:", "Authorization:", "Cookie:"},
		"repeated":         {"X-API-KEY: a", "X-API-KEY: b", "Authorization: Bearer a", "Authorization: Basic b"},
		"no ASCII":         {"X-API-KEY: \xff\xfe", "Authorization: Bearer \xff"},
		"512 KiB":          {"X-API-KEY: " + strings.Repeat("a", 256<<10), "Authorization: Bearer " + strings.Repeat("a", 256<<10)},
		"tampered token":   {"Authorization: Bearer " + flipSignature(user.text("access_token"))},
		"refresh token":    {"Authorization: Bearer " + user.text("refresh_token")},
		"of other systems": {"Authorization: Bearer " + base, "X-Simplicite-Authorization: Bearer " + base},
		"wrong password":   {"Authorization: Basic " + b64("demo-client:wrong")},
		"right ones":       {key, "Authorization: Bearer " + user.text("access_token")},
	} {
		t.Run("H16 "+name, func(t *testing.T) {
			a := w.rawTarget("GET", "/ext/ping?access_token="+base+"&access_token=&a;b", lines...)
			wantPong(t, a)
			a.keptFrom(t, "", "")
			if a.header.Get("WWW-Authenticate") != "" {
				t.Errorf("an open path challenges: %v", a.header)
			}
			w.rawTarget("GET", "/.well-known/jwks.json", lines...).want(t, 200, "")
		})
		t.Run("H17 "+name, func(t *testing.T) {
			beside := []string{key}
			for _, l := range lines {
				if !strings.HasPrefix(l, "X-API-KEY") {
					beside = append(beside, l)
				}
			}
			a := w.rawTarget("GET", "/public/ping?access_token="+base, beside...)
			wantPong(t, a)
			a.keptFrom(t, "private", "", "X-API-KEY")
		})
	}
	t.Run("H17 the token endpoint behind the key", func(t *testing.T) {
		refresh := form("grant_type", "password", "username", "user_email@email.com", "password", "user_password", "client_id", "other", "client_secret", "wrong")
		w.do("POST", "/public/token", demoKey, header("Authorization", "Basic ***"), header("Authorization", "x"), refresh).want(t, 200, "")
	})
	t.Run("H16 a key where tokens are read", func(t *testing.T) {
		a := w.do("GET", "/v1/me", bearer(base), header("X-API-KEY", "junk"), demoKey)
		a.want(t, 200, "")
		a.keptFrom(t, "", "")
	})
	t.Run("H16 a key where secrets are read", func(t *testing.T) {
		wantPong(t, w.do("GET", "/partner/onboarding", basic("demo-partner", "demo-partner-secret"), header("X-API-KEY", "junk"), header("X-API-KEY", "")))
	})
	t.Run("H16 no one is billed on an open path", func(t *testing.T) {
		day := time.Now().UTC().Format(time.DateOnly)
		w.do("GET", "/ext/ping", basic("other-partner", "other-partner-secret")).want(t, 200, "")
		a := w.do("GET", "/partner/usages?api_name=onboarding&start_date="+day+"&end_date="+day, basic("other-partner", "other-partner-secret"))
		a.want(t, 200, "")
		if !strings.Contains(a.body, `"clients":[]`) {
			t.Errorf("report %s", a.body)
		}
	})
}

// The handler sees only the identity of the token, not one that a header claims.
func TestHandlersReadOneIdentity(t *testing.T) {
	t.Parallel()
	w := sharedDemo(t)
	user := w.tiersGrant().text("access_token")
	want := map[string]string{"client_id": "demo-app", "user": "user_email@email.com", "scope": "user"}
	for name, lines := range map[string][]option{
		"as documented":         nil,
		"H15 identity headers":  with(header("X-User", "root"), header("X-Client-Id", "root"), header("X-Scope", "admin"), header("X-Forwarded-User", "root")),
		"H15 other spellings":   with(header("x_user", "root"), header("REMOTE_USER", "root"), header("Remote-User", "root")),
		"H15 hop-by-hop header": with(header("Connection", "X-API-KEY, Authorization"), header("Keep-Alive", "x")),
	} {
		t.Run(name, func(t *testing.T) {
			a := w.do("GET", "/user/me", append(with(demoKey, bearer(user)), lines...)...)
			a.want(t, http.StatusOK, "")
			for member, value := range want {
				if a.text(member) != value {
					t.Errorf("%s is %q, want %q", member, a.text(member), value)
				}
			}
		})
	}
	t.Run("no identity needed", func(t *testing.T) { wantPong(t, w.do("GET", "/ext/ping")) })
	t.Run("client alone", func(t *testing.T) {
		a := w.do("GET", "/v1/me", bearer(w.clientToken("base")))
		if a.text("client_id") != "demo-client" || a.field("user") != "" || a.text("scope") != "base" {
			t.Errorf("body %s", a.body)
		}
	})
}
