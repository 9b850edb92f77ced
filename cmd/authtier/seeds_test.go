package main

import (
	"encoding/json"
	"image/png"
	"os/exec"
	"strings"
	"testing"
)

// runCurl runs a command line of a document in a shell, as a reader would, and
// returns what it prints.
func runCurl(t *testing.T, folder, line string) string {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", strings.Replace(line, "curl ", "curl -sS --max-time 20 ", 1))
	cmd.Dir = folder
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return string(out)
}

// wantJSON returns the members of an object, which are exactly these.
func wantJSON(t *testing.T, printed string, names ...string) *answer {
	t.Helper()
	a := &answer{body: printed}
	if !json.Valid([]byte(printed)) {
		t.Fatalf("printed %q, want JSON", printed)
	}
	wantMembers(t, a, names...)
	return a
}

// wantTokens checks the object that the documents promise for a grant.
func wantTokens(t *testing.T, printed, scope string, seconds float64, refresh bool) *answer {
	t.Helper()
	names := []string{"access_token", "expires_in", "token_type", "scope"}
	if refresh {
		names = append(names, "refresh_token")
	}
	a := wantJSON(t, printed, names...)
	if a.text("access_token") == "" || a.field("expires_in") != seconds || a.text("token_type") != "bearer" || a.text("scope") != scope {
		t.Errorf("printed %s", printed)
	}
	if refresh && a.text("refresh_token") == "" {
		t.Errorf("printed %s", printed)
	}
	return a
}

// The calls of the four documented systems, with real curl and the demo's
// credentials in place of the documents' names.

func TestOAuth2DocumentCalls(t *testing.T) {
	w, folder := sharedDemo(t), t.TempDir()
	filled := strings.NewReplacer(
		"CLIENT_ID:CLIENT_SECRET", "demo-client:demo-secret", "https://api.creads-partners.com", w.url,
		"=USERNAME", "="+userLogin, "=PASSWORD", "="+userPassword)
	curl := func(line string) string { return runCurl(t, folder, filled.Replace(line)) }

	base := wantTokens(t, curl(`curl -u CLIENT_ID:CLIENT_SECRET "https://api.creads-partners.com/oauth2/token" -d 'grant_type=client_credentials'`), "base", 3600, false)
	// The document opens this address with one quote and closes it with another.
	user := wantTokens(t, curl(`curl -u CLIENT_ID:CLIENT_SECRET "https://api.creads-partners.com/oauth2/token?grant_type=password" -d 'grant_type=password&username=USERNAME&password=PASSWORD'`), "base", 3600, true)
	refresh := `curl -u CLIENT_ID:CLIENT_SECRET "https://api.creads-partners.com/oauth2/token?grant_type=password" -d 'grant_type=refresh_token&refresh_token=REFRESH_TOKEN'`
	refreshed := wantTokens(t, curl(strings.Replace(refresh, "REFRESH_TOKEN", user.text("refresh_token"), 1)), "base", 3600, true)
	files := wantTokens(t, curl(`curl -u CLIENT_ID:CLIENT_SECRET "https://api.creads-partners.com/oauth2/token" -d 'grant_type=client_credentials' -d 'scope=files'`), "files", 3600, false)

	if refreshed.text("access_token") == user.text("access_token") {
		t.Error("refreshing gave the same access token")
	}
	image := `curl "https://api.creads-partners.com/v1/img/whateverImage.png?access_token=ACCESS_TOKEN"`
	printed := curl(strings.Replace(image, "ACCESS_TOKEN", files.text("access_token"), 1))
	if _, err := png.Decode(strings.NewReader(printed)); err != nil {
		t.Errorf("no image: %v: %q", err, printed)
	}
	for name, token := range map[string]string{"client's": base.text("access_token"), "user's": refreshed.text("access_token")} {
		// A token with the scope base is never to be shown to others.
		if a := wantRefusal(t, curl(strings.Replace(image, "ACCESS_TOKEN", token, 1))); a.text("code") != "AUTH-7" {
			t.Errorf("%s base token in a URL: %s", name, a.body)
		}
	}
	me := wantJSON(t, curl(`curl -H 'Authorization: Bearer `+refreshed.text("access_token")+`' "https://api.creads-partners.com/v1/me"`), "client_id", "user", "scope")
	if me.text("user") != userLogin {
		t.Errorf("the token is %q's", me.text("user"))
	}
}

func wantRefusal(t *testing.T, printed string) *answer {
	t.Helper()
	return wantJSON(t, printed, "code", "message", "error", "error_description")
}

func TestSessionDocumentCalls(t *testing.T) {
	w, folder := sharedDemo(t), t.TempDir()
	filled := strings.NewReplacer("<base URL>", w.url+"/api", "<login>[:<password>]", "demo:demo-password",
		"username=<login>", "username=demo", "password=<password>", "password=demo-password")
	const status = ` -w ' %{http_code} %{content_type}'`
	curl := func(line string) string { return runCurl(t, folder, filled.Replace(line)) }
	service := func(token, path string) string {
		return curl(`curl -b cookies.txt -c cookies.txt -H "X-Simplicite-Authorization: Bearer ` + token + `" "<base URL>/` + path + `"` + status)
	}
	for _, tt := range []struct{ name, line string }{
		{"Basic", `curl -b cookies.txt -c cookies.txt -u <login>[:<password>] "<base URL>/login"`},
		{"custom header", `curl -b cookies.txt -c cookies.txt -H "X-Simplicite-Authorization: Basic ZGVtbzpkZW1vLXBhc3N3b3Jk" "<base URL>/login"`},
		{"GET parameters", `curl -b cookies.txt -c cookies.txt "<base URL>/login?username=<login>&password=<password>"`},
		{"POST parameters", `curl -b cookies.txt -c cookies.txt --form "username=<login>" --form "password=<password>" "<base URL>/login"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			token, contentType, _ := strings.Cut(curl(tt.line+status), " ")
			if token == "" || !strings.HasPrefix(contentType, "200 text/plain") {
				t.Fatalf("printed %q %q, want a token as plain text", token, contentType)
			}
			if got := service(token, "me"); !strings.Contains(got, `"user":"demo"`) || !strings.Contains(got, " 200 ") {
				t.Errorf("a service call printed %s", got)
			}
			if got := service(token, "logout"); got != " 204 " {
				t.Errorf("logout printed %q", got)
			}
			if got := service(token, "me"); !strings.Contains(got, " 401 ") {
				t.Errorf("a call after logout printed %s", got)
			}
		})
	}
	for _, parameter := range []string{"_json=true", "_output=json"} {
		a := wantJSON(t, curl(`curl -b cookies.txt -c cookies.txt -u <login>[:<password>] "<base URL>/login?`+parameter+`"`),
			"authtoken", "sessionid", "login", "firstname", "lastname", "lang")
		if a.text("authtoken") == "" || a.text("sessionid") == "" || a.text("login") != "demo" || a.text("lang") != "ENU" ||
			a.text("firstname") != "Demo" || a.text("lastname") != "User" {
			t.Errorf("%s printed %s", parameter, a.body)
		}
		if got := service(a.text("authtoken"), "me"); !strings.Contains(got, " 200 ") {
			t.Errorf("a service call printed %s", got)
		}
	}
	for _, parameter := range []string{"_oauth2=true", "_output=oauth2"} { // it must be HTTPS
		wantRefusal(t, curl(`curl -u <login>[:<password>] "<base URL>/login?`+parameter+`"`))
	}
	got := curl(`curl -u <login>[:<password>] -o /dev/null -w '%{http_code} %{redirect_url}' "<base URL>/login?redirect_uri=http://127.0.0.1:9/callback"`)
	if !strings.HasPrefix(got, "302 http://127.0.0.1:9/callback?access_token=") {
		t.Errorf("redirected: %s", got)
	}
	for _, line := range []string{
		`curl "<base URL>/login"`, `curl -u demo: "<base URL>/login"`, `curl -u demo:wrong "<base URL>/login"`,
		`curl "<base URL>/login?username=<login>"`, `curl --form "username=<login>" "<base URL>/login"`,
	} {
		if got := curl(line + status); !strings.HasSuffix(got, " 401 application/json") {
			t.Errorf("%s printed %s", line, got)
		}
	}
}

func TestTiersDocumentCalls(t *testing.T) {
	w, folder := sharedDemo(t), t.TempDir()
	const key = `-H 'X-API-KEY: my_api_key'`
	curl := func(arguments, path string) string {
		return runCurl(t, folder, "curl "+arguments+" "+w.url+path)
	}
	const password = `{
	"grant_type": "password",
	"username": "user_email@email.com",
    "password": "user_password"
}`
	first := wantTokens(t, curl(key+" -d '"+password+"'", "/public/token"), "user", 86400, true)
	refresh := `{
	"grant_type": "refresh_token",
	"refresh_token": "` + first.text("refresh_token") + `"
}`
	second := wantTokens(t, curl(key+" -d '"+refresh+"'", "/public/token"), "user", 86400, true)
	if first.text("access_token") == second.text("access_token") || first.text("refresh_token") == second.text("refresh_token") {
		t.Error("refreshing gave the same tokens")
	}
	token := ` -H 'Authorization: Bearer ` + second.text("access_token") + `'`
	for path, arguments := range map[string][]string{
		"/ext/ping":    {"", key, key + token, token, `-H 'X-API-KEY: wrong' -H 'Authorization: wrong'`},
		"/public/ping": {key, key + token, key + ` -H 'Authorization: wrong'`},
		"/pro/ping":    {key + token},
	} {
		for _, a := range arguments {
			if got := curl(a, path); got != "pong" {
				t.Errorf("%s with %q printed %s", path, a, got)
			}
		}
	}
	if me := wantJSON(t, curl(key+token, "/user/me"), "client_id", "user", "scope"); me.text("user") != userLogin {
		t.Errorf("the token is %q's", me.text("user"))
	}
	for path, arguments := range map[string][]string{
		"/public/ping": {"", token, `-H 'X-API-KEY: wrong'`},
		"/user/me":     {"", key, token, key + ` -H 'Authorization: Bearer ` + second.text("refresh_token") + `'`},
		"/pro/ping":    {"", key, token},
	} {
		for _, a := range arguments {
			wantRefusal(t, curl(a, path))
		}
	}
}

// The partner document calls by PHP; these are the same requests.
func TestPartnerDocumentCalls(t *testing.T) {
	w, folder := startDemo(t), t.TempDir()
	curl := func(arguments string) string { return runCurl(t, folder, "curl "+arguments) }
	token := wantTokens(t, curl("-u demo-partner:demo-partner-secret -X POST "+w.url+"/partner/tokens"),
		"onboarding usage:read", 3600, false).text("access_token")
	me := wantJSON(t, curl("-u demo-partner:"+token+" "+w.url+"/partner/"), "client_id", "scopes")
	if me.text("client_id") != "demo-partner" {
		t.Errorf("printed %s", me.body)
	}
	const encoded = "ZGVtby1wYXJ0bmVyOmRlbW8tcGFydG5lci1zZWNyZXQ="
	if got := curl("-H 'Authorization: Basic " + encoded + "' " + w.url + "/partner/"); got != me.body {
		t.Errorf("printed %s", got)
	}
	if got := curl("-u demo-partner:" + token + " " + w.url + "/partner/onboarding"); got != "pong" {
		t.Errorf("printed %s", got)
	}
	usages := w.url + "/partner/usages?api_name=onboarding&start_date=2025-01-01&end_date=2025-01-01"
	r := wantJSON(t, curl("-u demo-partner:"+token+" '"+usages+"'"), "api", "start_date", "end_date", "clients")
	if r.text("api") != "onboarding" || r.text("start_date") != "2025-01-01" || r.text("end_date") != "2025-01-01" {
		t.Errorf("printed %s", r.body)
	}
	today := strings.NewReplacer("start_date=2025-01-01", "start_date="+utcDay(-1), "end_date=2025-01-01", "end_date="+utcDay(1)).Replace(usages)
	if got := quantityOf(t, &answer{status: 200, body: curl("-u demo-partner:" + token + " '" + today + "'")}, "demo-partner"); got != 1 {
		t.Errorf("%d uses, want 1", got)
	}
	const status = ` -w ' %{http_code}' `
	tokens := w.url + "/partner/tokens"
	for _, tt := range []struct{ arguments, code, status string }{
		{"-u demo-partner:wrong " + tokens, "AUTH-1", "401"},
		{tokens, "AUTH-2", "401"},
		{"-H 'Authorization: Basic x' " + tokens, "AUTH-3", "401"},
		{"-u demo-partner:" + token + " --json '{\"expires_in\":\"3600\"}' " + tokens, "AUTH-6", "422"},
		{"-u demo-partner:" + token + " --json '{\"scopes\":[\"other\"]}' " + tokens, "AUTH-7", "403"},
		{"-u demo-partner:" + token + " --json '{\"token\":\"" + token + "\",\"type\":\"refresh\"}' " + tokens + "/verify", "AUTH-9", "400"},
		{"-u demo-partner:" + token + " --json '{\"token\":\"" + mistyped(token, len(token)-20) + "\"}' " + tokens + "/verify", "AUTH-10", "400"},
		{"-u demo-partner:" + token + " --json '{\"token\":\"x\"}' " + tokens + "/verify", "AUTH-12", "404"},
	} {
		printed, code, _ := strings.Cut(curl("-X POST"+status+tt.arguments), "\n ")
		if a := wantRefusal(t, printed); a.text("code") != tt.code || code != tt.status {
			t.Errorf("%s: printed %s %s, want %s and %s", tt.arguments, printed, code, tt.code, tt.status)
		}
	}
}
