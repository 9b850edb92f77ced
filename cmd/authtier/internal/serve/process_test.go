package serve_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// token gets an access token of acme.
func (h *home) token(t *testing.T, p *process) string {
	t.Helper()
	a := p.do("POST", "/oauth2/token", "grant_type=client_credentials", "Content-Type", "application/x-www-form-urlencoded", "Authorization", h.basic())
	a.want(t, 200, "")
	var tokens struct {
		Access string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(a.body), &tokens); err != nil || tokens.Access == "" {
		t.Fatalf("%v in %s", err, a.body)
	}
	return tokens.Access
}

func (h *home) basic() string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte("acme:"+h.secret))
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	p := h.start(t)
	p.get("/healthz").want(t, 200, "ok")
	p.get("/readyz").want(t, 200, "ok")
	p.get("/.well-known/oauth-authorization-server").want(t, 200, `"issuer":"`+url+`"`)
	p.get("/.well-known/jwks.json").want(t, 200, `"kid"`)
	token := h.token(t, p)

	const acme = `{"client_id":"acme","user":"","scope":"read","issuer":"` + url + `"}`
	byKey := p.get("/me", "X-API-KEY", h.key)
	byKey.want(t, 200, acme)
	for name, want := range map[string]string{"Authtier-Client": "acme", "Authtier-User": "", "Authtier-Scope": "read", "Authtier-Issuer": url} {
		if got := byKey.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	p.get("/me", "Authorization", "Bearer "+token).want(t, 200, acme)
	for name, headers := range map[string][]string{
		"nothing": nil, "a guess": {"X-API-KEY", "guess"}, "a garbled header": {"Authorization", "Bearer a,b"},
		"a secret": {"Authorization", h.basic()}, "a garbled token": {"Authorization", "Bearer a.b.c"},
	} {
		a := p.get("/me", headers...)
		if a.status != 401 || a.header.Get("WWW-Authenticate") == "" || !strings.Contains(a.body, `"AUTH-`) {
			t.Errorf("%s: got %d %s, want 401 with a challenge", name, a.status, a.body)
		}
	}

	for _, path := range []string{"/", "/nope", "/me/x", "/api", "/api/nope", "/partner", "/v1/me", "/metrics"} {
		p.get(path).want(t, 404, `"AUTH-6"`)
	}
	p.do("POST", "/me", "").want(t, 405, `"AUTH-6"`)
	p.get("/partner/nope").want(t, 401, `"AUTH-2"`)
	p.stop()
	if n := h.counted(t, "acme"); n != 2 {
		t.Errorf("%d uses are counted, want the 2 that were admitted", n)
	}
}

// The session system and the partner system answer as they do in the demo.
func TestSystems(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	p := h.start(t)
	login := p.get("/api/login", "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("ada:correct horse")))
	login.want(t, 200, "")
	cookie, _, _ := strings.Cut(login.header.Get("Set-Cookie"), ";")
	p.get("/api/me", "X-Simplicite-Authorization", "Bearer "+login.body, "Cookie", cookie).want(t, 200, `"user":"ada"`)
	p.get("/api/me").want(t, 401, `"AUTH-2"`)

	p.get("/me", "X-API-KEY", h.key).want(t, 200, "")
	p.get("/partner/", "Authorization", h.basic()).want(t, 200, `"client_id":"acme"`)
	day := time.Now().UTC()
	span := fmt.Sprintf("&start_date=%s&end_date=%s", day.AddDate(0, 0, -1).Format(time.DateOnly), day.AddDate(0, 0, 1).Format(time.DateOnly))
	p.get("/partner/usages?api_name=authtier"+span, "Authorization", h.basic()).want(t, 200, `"product":"me","label":"identity checks at /me","quantities":1`)
	p.get("/partner/usages", "Authorization", h.basic()).want(t, 422, `"AUTH-6"`)
	p.stop()
}

// The password grant needs its flag.
func TestPasswordGrant(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	ask := func(p *process) answer {
		return p.do("POST", "/oauth2/token", "grant_type=password&username=ada&password=correct+horse",
			"Content-Type", "application/x-www-form-urlencoded", "Authorization", h.basic())
	}
	p := h.start(t)
	ask(p).want(t, 400, "unsupported_grant_type")
	p.stop()

	p = h.start(t, "--allow-password-grant")
	ask(p).want(t, 200, `"refresh_token"`)
	p.stop()
}

// The default issuer is the listening address.
func TestDefaultIssuer(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	p := h.start(t, "--issuer=")
	p.get("/.well-known/oauth-authorization-server").want(t, 200, `"issuer":"`+p.url+`"`)
	if log := p.stop(); !strings.Contains(log, "level=INFO") {
		t.Errorf("the log is %q", log)
	}
}

func TestRestart(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	p := h.start(t)
	token := h.token(t, p)
	p.stop()

	p = h.start(t)
	p.get("/me", "Authorization", "Bearer "+token).want(t, 200, `"client_id":"acme"`)
	p.stop()
}

// A request in flight is answered, and its use is counted.
func TestSignalInFlight(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	p := h.start(t)
	p.get("/me", "X-API-KEY", h.key).want(t, 200, "")
	p.client.CloseIdleConnections()

	addr := strings.TrimPrefix(p.url, "http://")
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	const body = "grant_type=client_credentials"
	fmt.Fprintf(conn, "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nAuthorization: %s\r\n"+
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n", h.basic(), len(body))
	in := bufio.NewReader(conn)
	for _, want := range []string{"HTTP/1.1 100 Continue\r\n", "\r\n"} { // the handler reads
		if line, err := in.ReadString('\n'); err != nil || line != want {
			t.Fatalf("%q, %v", line, err)
		}
	}

	p.signal()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		probe, err := net.Dial("tcp", addr)
		if err != nil {
			break // it has stopped listening
		}
		probe.Close()
		if time.Now().After(deadline) {
			t.Fatal("it still listens")
		}
	}
	io.WriteString(conn, body)
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("the request in flight was not answered: %v, %v", resp, err)
	}
	p.wait()
	if n := h.counted(t, "acme"); n != 1 {
		t.Errorf("%d uses are counted, want 1", n)
	}
}

// Under load, each answered request is counted, and none is cut off on a connection that
// was open before.
func TestSignalUnderLoad(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	p := h.start(t)
	var answered, cut atomic.Int64
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(time.Minute))
			in := bufio.NewReader(conn)
			for {
				fmt.Fprintf(conn, "GET /me HTTP/1.1\r\nHost: x\r\nX-API-KEY: %s\r\n\r\n", h.key)
				resp, err := http.ReadResponse(in, nil)
				if err != nil {
					cut.Add(1)
					return
				}
				io.Copy(io.Discard, resp.Body)
				if resp.StatusCode != 200 {
					t.Errorf("status %d", resp.StatusCode)
				}
				if answered.Add(1) == 500 {
					p.signal()
				}
				if resp.Close {
					return
				}
			}
		})
	}
	workers.Wait()
	p.wait()

	if cut.Load() > 0 {
		t.Errorf("%d requests were cut off", cut.Load())
	}
	if n := h.counted(t, "acme"); n != answered.Load() || n < 500 {
		t.Errorf("%d uses are counted, %d were answered", n, answered.Load())
	}
}

// While it drains, it is not ready, and answers everything else.
func TestDrainDelay(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	p := h.start(t, "--drain-delay", "1m")
	p.signal()
	for deadline := time.Now().Add(time.Minute); p.get("/readyz").status != 503; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it is still ready")
		}
	}
	p.get("/readyz").want(t, 503, `"AUTH-8"`)
	p.get("/healthz").want(t, 200, "ok")
	p.get("/me", "X-API-KEY", h.key).want(t, 200, "")

	// A second signal ends it at once, with the status of a signal. Its counts are in the
	// journal.
	p.signal()
	io.Copy(io.Discard, p.stdout)
	if err := p.cmd.Wait(); err == nil {
		t.Error("the second signal did not end it at once")
	}
	if strings.Contains(p.stderr.String(), "level=ERROR") {
		t.Errorf("draining is logged as a failure: %s", p.stderr)
	}
	p = h.start(t)
	p.stop()
	if n := h.counted(t, "acme"); n != 1 {
		t.Errorf("%d uses are counted, want 1", n)
	}
}

// Settings may come from the environment.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	if err := os.Rename(filepath.Join(h.dir, "auth.db"), filepath.Join(h.dir, "other.db")); err != nil {
		t.Fatal(err)
	}
	status, _, stderr := h.run(t, []string{"AUTHTIER_STORE=sqlite:other.db", "AUTHTIER_KEY_FILE=none", "AUTHTIER_ADDR=127.0.0.1:0"})
	if status != 1 || !strings.Contains(stderr, `key file "none"`) {
		t.Errorf("status %d, %s", status, stderr)
	}
}
