package routers_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/examples/routers"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/middlewaretest"
)

var all = []struct {
	name  string
	serve func(*routers.API) http.Handler
}{
	{"chi", routers.Chi},
	{"connect", routers.Connect},
	{"echo", routers.Echo},
	{"gateway", routers.Gateway},
	{"gin", routers.Gin},
	{"gorilla", routers.Gorilla},
}

// get is the query of a procedure of connect that is called by GET. The other routers
// ignore it.
const get = "?connect=v1&encoding=proto&message="

var routes = []string{
	"GET /open", "GET /reports" + get, "POST /reports", "GET /fails" + get, "GET /events", "GET /ws",
}

// counts is a meter in memory.
type counts struct{ n atomic.Int64 }

func (c *counts) Counter(int, string, string) (func(int64) error, error) {
	return func(n int64) error { c.n.Add(n); return nil }, nil
}

// An audit keeps the decisions about requests.
type audit struct {
	mu        sync.Mutex
	decisions []middleware.Decision
	methods   []string
}

func (a *audit) add(r *http.Request, d middleware.Decision) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.decisions = append(a.decisions, d)
	a.methods = append(a.methods, r.Method)
}

// statuses returns the statuses of the decisions so far.
func (a *audit) statuses() (statuses []int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range a.decisions {
		statuses = append(statuses, d.Status)
	}
	return statuses
}

// each runs a test for each router. api has a meter, an audit, and no pauses.
func each(t *testing.T, test func(t *testing.T, api *routers.API, serve func(*routers.API) http.Handler, uses *counts, log *audit)) {
	for _, router := range all {
		t.Run(router.name, func(t *testing.T) {
			uses, log := &counts{}, &audit{}
			api := &routers.API{Meter: uses, Audit: log.add, Pause: func(context.Context) {}}
			test(t, api, router.serve, uses, log)
		})
	}
}

// call sends a request with a token, if it is not empty. The type of the content is that
// of an empty message of connect.
func call(h http.Handler, route, token string) *httptest.ResponseRecorder {
	method, path, _ := strings.Cut(route, " ")
	r := httptest.NewRequest(method, path, nil)
	as(token)(r)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func as(token string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Content-Type", "application/proto")
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
	}
}

func TestMatrix(t *testing.T) {
	each(t, func(t *testing.T, api *routers.API, serve func(*routers.API) http.Handler, _ *counts, _ *audit) {
		middlewaretest.Matrix(t, serve(api), routes, map[string]func(*http.Request){
			"nobody": as(""), "unknown": as("guess"), "other": as("other"), "reader": as("reader"), "writer": as("writer"),
		})
	})
}

func TestGuarded(t *testing.T) {
	each(t, func(t *testing.T, api *routers.API, serve func(*routers.API) http.Handler, _ *counts, _ *audit) {
		middlewaretest.Guarded(t, serve(api), routes, "GET /open")
	})
}

// TestIdentity tests that handlers of the framework read the identity of the request.
func TestIdentity(t *testing.T) {
	each(t, func(t *testing.T, api *routers.API, serve func(*routers.API) http.Handler, _ *counts, log *audit) {
		h := serve(api)
		for _, route := range []string{"GET /reports" + get, "POST /reports", "GET /events"} {
			if w := call(h, route, "writer"); !strings.Contains(w.Body.String(), "bob of acme") {
				t.Errorf("%s: %d %q, expected a greeting of bob", route, w.Code, w.Body)
			}
		}
		for _, d := range log.decisions {
			if d.Identity.User != "bob" || !d.Admitted() {
				t.Errorf("audit: %+v", d)
			}
		}
	})
}

// TestUsage tests that each request that succeeds counts once, and no other, and that the
// audit has the status that the client reads.
func TestUsage(t *testing.T) {
	each(t, func(t *testing.T, api *routers.API, serve func(*routers.API) http.Handler, uses *counts, log *audit) {
		h := serve(api)
		for _, tt := range []struct {
			route, token string
			status       int
			uses         int64
		}{
			{"GET /open", "", 200, 0},
			{"GET /reports" + get, "reader", 200, 1},
			{"POST /reports", "writer", 200, 1},
			{"GET /events", "reader", 200, 1},
			{"GET /fails" + get, "reader", 500, 0},
			{"POST /reports", "reader", 403, 0},
			{"GET /reports" + get, "guess", 401, 0},
			{"GET /reports" + get, "", 401, 0},
		} {
			before := uses.n.Load()
			w := call(h, tt.route, tt.token)
			if got := uses.n.Load() - before; w.Code != tt.status || got != tt.uses {
				t.Errorf("%s by %q: %d, %d uses, expected %d, %d", tt.route, tt.token, w.Code, got, tt.status, tt.uses)
			}
			if s := log.statuses(); s[len(s)-1] != w.Code {
				t.Errorf("%s by %q: the audit has %d, the client %d", tt.route, tt.token, s[len(s)-1], w.Code)
			}
		}
		if s := log.statuses(); len(s) != 8 {
			t.Errorf("%d requests in the audit, expected 8", len(s))
		}
	})
}

// TestUnknown tests that unknown paths and methods count nothing, and that the audit has
// them.
func TestUnknown(t *testing.T) {
	each(t, func(t *testing.T, api *routers.API, serve func(*routers.API) http.Handler, uses *counts, log *audit) {
		h := serve(api)
		for _, route := range []string{"GET /nowhere", "DELETE /reports", "GET /reports/7"} {
			if w := call(h, route, "writer"); w.Code < 400 || w.Code >= 500 && w.Code != http.StatusNotImplemented {
				t.Errorf("%s: %d, expected a refusal", route, w.Code)
			}
		}
		if n := uses.n.Load(); n != 0 || len(log.decisions) != 3 || slices.Contains(log.statuses(), 200) {
			t.Errorf("%d uses, audit %v", n, log.statuses())
		}
	})
}

// TestEvents tests on a real server that each event arrives before the handler goes on.
func TestEvents(t *testing.T) {
	each(t, func(t *testing.T, api *routers.API, serve func(*routers.API) http.Handler, uses *counts, log *audit) {
		goOn := make(chan struct{})
		api.Pause = func(ctx context.Context) {
			select {
			case <-goOn:
			case <-ctx.Done():
			}
		}
		server := httptest.NewServer(serve(api))
		defer server.Close()

		response := fetch(t, server, "/events", "")
		if response.StatusCode != http.StatusUnauthorized {
			t.Errorf("without a token: %d", response.StatusCode)
		}
		response = fetch(t, server, "/events", "reader")
		lines := bufio.NewReader(response.Body)
		for n := range 3 {
			// The handler is waiting now, so the event has been flushed.
			line, err := lines.ReadString('\n')
			if want := fmt.Sprintf("data: %d for ada of acme\n", n); err != nil || line != want {
				t.Fatalf("%q, %v, expected %q", line, err, want)
			}
			if n := uses.n.Load(); n != 1 {
				t.Errorf("%d uses before the end, expected 1", n)
			}
			if _, err := lines.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			goOn <- struct{}{}
		}
		if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
			t.Errorf("%q, %v after the last event", rest, err)
		}
		server.Close() // waits for the handlers
		if s := log.statuses(); !slices.Equal(s, []int{401, 200}) || uses.n.Load() != 1 {
			t.Errorf("audit %v, %d uses", s, uses.n.Load())
		}
	})
}

func fetch(t *testing.T, server *httptest.Server, path, token string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	as(token)(r)
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}

// TestWebSocket upgrades a connection through Observe, Errors, Bearer, Scope and Usage.
func TestWebSocket(t *testing.T) {
	each(t, func(t *testing.T, api *routers.API, serve func(*routers.API) http.Handler, uses *counts, log *audit) {
		server := httptest.NewServer(serve(api))
		defer server.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()

		dial := func(token string) (*websocket.Conn, *http.Response, error) {
			header := http.Header{}
			if token != "" {
				header.Set("Authorization", "Bearer "+token)
			}
			return websocket.Dial(ctx, server.URL+"/ws", &websocket.DialOptions{HTTPHeader: header})
		}
		for token, status := range map[string]int{"": 401, "guess": 401, "other": 403} {
			if _, response, err := dial(token); err == nil || response == nil || response.StatusCode != status {
				t.Errorf("token %q: %v, %v, expected %d before the upgrade", token, response, err, status)
			}
		}

		conn, _, err := dial("reader")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.CloseNow()
		for _, text := range []string{"ada of acme", "first", "second"} {
			if text != "ada of acme" {
				if err := conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
					t.Fatal(err)
				}
			}
			if _, got, err := conn.Read(ctx); err != nil || string(got) != text {
				t.Fatalf("read %q, %v, expected %q", got, err, text)
			}
		}
		if n := uses.n.Load(); n != 1 {
			t.Errorf("%d uses of an open WebSocket, expected 1", n)
		}
		conn.Close(websocket.StatusNormalClosure, "")

		// The server does not know when a handler that took over its connection ends.
		deadline := time.Now().Add(10 * time.Second)
		for len(log.statuses()) < 4 && time.Now().Before(deadline) {
			time.Sleep(time.Millisecond)
		}
		s := log.statuses()
		if len(s) != 4 || s[3] != http.StatusSwitchingProtocols || uses.n.Load() != 1 {
			t.Errorf("audit %v, %d uses", s, uses.n.Load())
		}
	})
}

// TestTiersInFront tests that Tiers around a router guards its routes, however a path is
// spelled: each router reads paths in its own way. The tier of /reports/ refuses the token
// that the router itself accepts.
func TestTiersInFront(t *testing.T) {
	nobody := middleware.ValidatorFunc(func(context.Context, middleware.Credential) (*middleware.Identity, error) {
		return nil, errorsx.UnknownToken
	})
	tiers := middleware.Tiers(middleware.TierTable{"/": middleware.Unguarded, "/reports/": middleware.Bearer(nobody, nil)}, nil)
	each(t, func(t *testing.T, api *routers.API, serve func(*routers.API) http.Handler, _ *counts, _ *audit) {
		router := serve(api)
		if w := call(router, "GET /reports"+get, "writer"); !strings.Contains(w.Body.String(), "bob") {
			t.Fatalf("without tiers: %d %q", w.Code, w.Body)
		}
		for _, path := range []string{
			"/reports", "//reports", "/reports/", "/./reports", "/x/../reports", "/x/%2e%2e/reports", "/x/..%2freports",
			"/%72eports", "/%2freports", "/reports%2f", "/reports%00", "/reports;a=b", "/reports%3b", "/REPORTS", "/reports.",
			"/reports:x", "/%252freports", "/open/../reports", "/open%2f..%2freports", "/reports%20", "/reports%09",
			"/%5creports", "/%2572eports", "/reports%3fx", "/reports//",
		} {
			if w := call(tiers(router), "GET "+path+get, "writer"); strings.Contains(w.Body.String(), "bob") {
				t.Errorf("%s reaches the handler of /reports", path)
			}
		}
	})
}
