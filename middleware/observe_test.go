package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// An observer collects decisions.
type observer struct{ seen []middleware.Decision }

func (o *observer) wrapper() middleware.Wrapper {
	return middleware.Observe(func(_ *http.Request, d middleware.Decision) { o.seen = append(o.seen, d) })
}

// last returns the only decision since the previous call.
func (o *observer) last(t *testing.T) middleware.Decision {
	t.Helper()
	if len(o.seen) != 1 {
		t.Fatalf("observed %d times, want once", len(o.seen))
	}
	d := o.seen[0]
	o.seen = nil
	return d
}

func TestObserve(t *testing.T) {
	o := &observer{}
	cache := newCache(t, people, 100, middleware.CacheConfig{})
	guard := middleware.Tiers(middleware.TierTable{
		"/open/": middleware.Unguarded,
		"/user/": middleware.Chain(
			middleware.APIKey(cache, nil), middleware.Bearer(cache, nil), middleware.Scope("read"),
		),
	}, nil)
	mux := http.NewServeMux()
	mux.HandleFunc("/open/", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /user/created", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201) })
	h := middleware.Chain(o.wrapper(), middleware.Errors(silent), guard)(errorsx.Mux(mux))

	for _, tt := range []struct {
		name, method, target string
		lines                []string
		want                 string // tier, client, user, code, status, cached
	}{
		{"an open tier", "GET", "/open/", nil, "/open/ - - AUTH-0 200 false"},
		{"no credential", "GET", "/user/created", nil, "/user/ - - AUTH-2 401 false"},
		{"first seen", "GET", "/user/created", []string{keyApp, tokenAda}, "/user/ app ada AUTH-0 201 false"},
		{"known", "GET", "/user/created", []string{keyApp, tokenAda}, "/user/ app ada AUTH-0 201 true"},
		{"one known, one not", "GET", "/user/created", []string{keyApp, "Authorization: Bearer second-token"}, "/user/ app eve AUTH-7 403 false"},
		{"junk", "GET", "/user/created", []string{keyApp, "Authorization: Bearer junk"}, "/user/ app - AUTH-12 404 false"},
		{"known junk", "GET", "/user/created", []string{keyApp, "Authorization: Bearer junk"}, "/user/ app - AUTH-12 404 true"},
		{"no tier", "GET", "/other", nil, " - - AUTH-6 404 false"},
		{"no such path", "GET", "/user/none", []string{keyApp, tokenAda}, "/user/ app ada AUTH-6 404 true"},
		{"a wrong method", "POST", "/user/created", []string{keyApp, tokenAda}, "/user/ app ada AUTH-6 405 true"},
	} {
		w := serve(h, tt.method, tt.target, tt.lines...)
		d := o.last(t)
		name := func(s string) string {
			if s == "" {
				return "-"
			}
			return s
		}
		got := fmt.Sprintf("%s %s %s AUTH-%d %d %t", d.Tier, name(d.Identity.Client), name(d.Identity.User), d.Code(), d.Status, d.Cached)
		if got != tt.want || d.Status != w.Code || d.Admitted() != (d.Code() == 0) {
			t.Errorf("%s: got %q, want %q; the client got %d", tt.name, got, tt.want, w.Code)
		}
	}
}

// TestObserveSeesOnce tests that each request is reported once, however it ends.
func TestObserveSeesOnce(t *testing.T) {
	o := &observer{}
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		want    int
	}{
		"nothing written": {func(http.ResponseWriter, *http.Request) {}, 200},
		"written":         {func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("x")) }, 200},
		"two headers": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(202)
		}, 202},
		"flushed": {func(w http.ResponseWriter, _ *http.Request) { http.NewResponseController(w).Flush() }, 200},
		"a panic": {func(http.ResponseWriter, *http.Request) { panic("s3cret") }, 0},
		"a panic behind": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(204)
			panic("s3cret")
		}, 204},
	} {
		func() {
			defer func() {
				if p := recover(); (p != nil) != strings.HasPrefix(name, "a panic") {
					t.Errorf("%s: recovered %v", name, p)
				}
			}()
			serve(o.wrapper()(tt.handler), "GET", "/")
		}()
		if d := o.last(t); d.Status != tt.want || !d.Admitted() {
			t.Errorf("%s: got %+v, want status %d", name, d, tt.want)
		}
	}
}

// TestObserveTellsTheCause tests that f gets the cause of a refusal and the client
// does not.
func TestObserveTellsTheCause(t *testing.T) {
	o := &observer{}
	cause := errors.New("the claim aud is \"b\", expected \"a\"")
	refuses := middleware.ValidatorFunc(func(context.Context, middleware.Credential) (*middleware.Identity, error) {
		return nil, &errorsx.Error{Code: errorsx.UnknownToken, Client: "app", Err: cause}
	})
	w := serve(middleware.Chain(o.wrapper(), middleware.Bearer(refuses, nil))(whoami), "GET", "/", tokenAda)
	d := o.last(t)
	if !errors.Is(d.Cause(), cause) || d.Refusal.Client != "app" || strings.Contains(w.Body.String(), "aud") {
		t.Errorf("got %+v, and the client %s", d, w.Body)
	}
}

// TestObserveNested tests that both of two nested Observes report a request, and that
// one inside of a wrapper that authenticates is a fault.
// TestObserveSeesOwnIdentities tests that a Decision names the identity of a wrapper
// that calls WithIdentity.
func TestObserveSeesOwnIdentities(t *testing.T) {
	o := &observer{}
	own := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(middleware.WithIdentity(r.Context(), middleware.Identity{Issuer: "i", Client: "mtls"})))
		})
	}
	serve(middleware.Chain(o.wrapper(), own)(whoami), "GET", "/")
	if d := o.last(t); d.Identity.Client != "mtls" || !d.Admitted() {
		t.Errorf("got %+v", d)
	}
}

func TestObserveNested(t *testing.T) {
	outer, inner := &observer{}, &observer{}
	h := middleware.Chain(outer.wrapper(), inner.wrapper(), bearer)(whoami)
	serve(h, "GET", "/", tokenAda)
	if a, b := outer.last(t), inner.last(t); a.Identity.User != "ada" || b.Identity.User != "ada" {
		t.Errorf("got %+v and %+v", a, b)
	}
	serve(h, "GET", "/")
	if a, b := outer.last(t), inner.last(t); a.Code() != errorsx.CredentialsMissing || b.Code() != errorsx.CredentialsMissing {
		t.Errorf("got %+v and %+v", a, b)
	}
	w := serve(middleware.Chain(middleware.Errors(silent), bearer, inner.wrapper())(whoami), "GET", "/", tokenAda)
	if code(w) != "AUTH-8" || len(inner.seen) != 0 {
		t.Errorf("inside of Bearer: got %d %s", w.Code, w.Body)
	}
}

func TestObserveDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &observer{}
		serve(o.wrapper()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(time.Minute) })), "GET", "/")
		if d := o.last(t); d.Duration != time.Minute {
			t.Errorf("got %v, want a minute", d.Duration)
		}
	})
}

// TestObserveBehindTimeout has a handler that still runs when the request has ended.
// It is for the race detector.
func TestObserveBehindTimeout(t *testing.T) {
	o := &observer{}
	ended, done := make(chan struct{}), make(chan struct{})
	late := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		<-ended
		bearer(whoami).ServeHTTP(w, r)
	})
	serve(o.wrapper()(http.TimeoutHandler(late, time.Millisecond, "")), "GET", "/", tokenAda)
	close(ended)
	<-done
	if d := o.last(t); d.Status != 503 || d.Identity.User != "" {
		t.Errorf("got %+v, want 503 and nobody", d)
	}
}

// TestWriters tests that a wrapper, a mux and a handler use the nearest outer writer.
func TestWriters(t *testing.T) {
	realm := func(name string) *errorsx.Writer { return &errorsx.Writer{Realm: name, Dialect: errorsx.RFC} }
	scope := middleware.Scope("admin")
	for _, tt := range []struct {
		name    string
		wrapper middleware.Wrapper
		line    string
		want    string
	}{
		{"none", bearer, "Authorization: Bearer junk", "api 404"},
		{"outside", middleware.Chain(middleware.Errors(realm("a")), bearer), "Authorization: Bearer junk", "a 401"},
		{"the nearest", middleware.Chain(middleware.Errors(realm("a")), middleware.Errors(realm("b")), bearer), "Authorization: Bearer junk", "b 401"},
		{"inside alone", middleware.Chain(bearer, middleware.Errors(realm("b"))), "Authorization: Bearer junk", "api 404"},
		{"Scope outside of one", middleware.Chain(middleware.Errors(realm("a")), bearer, scope, middleware.Errors(realm("b"))), tokenAda, "a 403"},
		{"Scope inside of one", middleware.Chain(middleware.Errors(realm("a")), bearer, middleware.Errors(realm("b")), scope), tokenAda, "b 403"},
		{"a wrapper's own", middleware.Chain(middleware.Errors(realm("a")), middleware.Chain(middleware.Errors(realm("own")), middleware.Bearer(people, nil)), scope), tokenAda, "own 403"},
		{"with Observe", middleware.Chain(middleware.Errors(realm("a")), (&observer{}).wrapper(), bearer), "Authorization: Bearer junk", "a 401"},
		{"with Proxy", middleware.Chain((&observer{}).wrapper(), middleware.Proxy(nil), middleware.Errors(realm("a")), bearer), "Authorization: Bearer junk", "a 401"},
	} {
		w := serve(tt.wrapper(whoami), "GET", "/", tt.line)
		_, got, _ := strings.Cut(w.Header().Get("WWW-Authenticate"), `realm="`)
		got, _, _ = strings.Cut(got, `"`)
		if got = fmt.Sprint(got, " ", w.Code); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestWritersOfSeveralHandlers tests that a handler that calls several others gives
// each its own surroundings.
func TestWritersOfSeveralHandlers(t *testing.T) {
	inner := middleware.Errors(&errorsx.Writer{Realm: "inner"})(whoami)
	h := middleware.Errors(&errorsx.Writer{Realm: "outer"})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(httptest.NewRecorder(), r)
		bearer(whoami).ServeHTTP(w, r)
	}))
	if w := serve(h, "GET", "/"); !strings.Contains(w.Header().Get("WWW-Authenticate"), "outer") {
		t.Errorf("got %q, want the outer realm", w.Header())
	}
}
