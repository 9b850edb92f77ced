package routers_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/gorilla/mux"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/labstack/echo/v4"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/examples/routers"
	"github.com/authtier/authtier/middleware"
)

var ada = middleware.ValidatorFunc(func(context.Context, middleware.Credential) (*middleware.Identity, error) {
	return &middleware.Identity{Issuer: "https://issuer.example", Client: "acme", User: "ada"}, nil
})

// counted returns wrappers that authenticate and that count successes, with an Observe
// outside of them.
func counted() (middleware.Wrapper, *counts, *audit) {
	uses, log := &counts{}, &audit{}
	succeeded := func(status int) bool { return status < 400 }
	return middleware.Chain(middleware.Observe(log.add), middleware.Bearer(ada, nil),
		middleware.Usage(uses, &middleware.UsageConfig{CountStatus: succeeded})), uses, log
}

// A late status is one that the framework writes after its middleware.
var late = []struct {
	name   string
	serve  func(middleware.Wrapper) http.Handler
	status int
	uses   int64
	audit  int
}{
	// Echo writes an error after all middleware.
	{"echo error", echoServer(fails), 500, 1, 200},
	{"echo error, EchoErrors", echoServer(fails, routers.EchoErrors), 500, 0, 500},
	{"echo HTTPError, EchoErrors", echoServer(notFound, routers.EchoErrors), 404, 0, 404},
	{"echo no content, EchoErrors", echoServer(noContent, routers.EchoErrors), 204, 1, 204},

	// A middleware of gin that writes errors does so after those inside of it.
	{"gin error", ginServer(ginFails, true), 500, 1, 200},
	{"gin error, GinErrors inside", ginServer(ginFails, false), 500, 0, 500},
	{"gin AbortWithError", ginServer(func(c *gin.Context) { c.AbortWithError(500, errors.New("it failed")) }, true), 500, 0, 500},

	// Gin itself writes a status without a body after all middleware. GinMiddleware
	// writes it in time.
	{"gin status", ginServer(func(c *gin.Context) { c.Status(404) }, false), 404, 0, 404},
	{"gin changed status", ginServer(func(c *gin.Context) { c.Status(500); c.Status(204) }, false), 204, 1, 204},
	{"gin nothing", ginServer(func(*gin.Context) {}, false), 200, 1, 200},
}

func fails(echo.Context) error       { return errors.New("it failed") }
func notFound(echo.Context) error    { return echo.ErrNotFound }
func noContent(c echo.Context) error { return c.NoContent(204) }
func ginFails(c *gin.Context)        { c.Error(errors.New("it failed")) }

func echoServer(h echo.HandlerFunc, inside ...echo.MiddlewareFunc) func(middleware.Wrapper) http.Handler {
	return func(wrapper middleware.Wrapper) http.Handler {
		e := echo.New()
		e.Group("/g", append([]echo.MiddlewareFunc{echo.WrapMiddleware(wrapper)}, inside...)...).GET("/x", h)
		return e
	}
}

func ginServer(h gin.HandlerFunc, errorsOutside bool) func(middleware.Wrapper) http.Handler {
	return func(wrapper middleware.Wrapper) http.Handler {
		gin.SetMode(gin.ReleaseMode)
		e := gin.New()
		if errorsOutside {
			e.Group("/g", routers.GinErrors, routers.GinMiddleware(wrapper)).GET("/x", h)
		} else {
			e.Group("/g", routers.GinMiddleware(wrapper), routers.GinErrors).GET("/x", h)
		}
		return e
	}
}

// TestLateStatus tests the counts and the audit of an answer that the framework writes
// late, without and with the adapter.
func TestLateStatus(t *testing.T) {
	for _, tt := range late {
		t.Run(tt.name, func(t *testing.T) {
			wrapper, uses, log := counted()
			w := call(tt.serve(wrapper), "GET /g/x", "any")
			if w.Code != tt.status || uses.n.Load() != tt.uses || !slices.Equal(log.statuses(), []int{tt.audit}) {
				t.Errorf("status %d, %d uses, audit %v, expected %d, %d, %d", w.Code, uses.n.Load(), log.statuses(), tt.status, tt.uses, tt.audit)
			}
		})
	}
}

// TestEchoErrorsOnce tests that an error is written once.
func TestEchoErrorsOnce(t *testing.T) {
	wrapper, _, _ := counted()
	w := call(echoServer(fails, routers.EchoErrors)(wrapper), "GET /g/x", "any")
	if n := strings.Count(w.Body.String(), "Internal Server Error"); n != 1 {
		t.Errorf("body %q", w.Body)
	}
}

// TestGinNested tests wrappers with writers of their own one inside the other.
func TestGinNested(t *testing.T) {
	outer, inner := &audit{}, &counts{}
	e := gin.New()
	e.Use(routers.GinMiddleware(middleware.Observe(outer.add)), routers.GinMiddleware(middleware.Bearer(ada, nil)))
	usage := middleware.Usage(inner, &middleware.UsageConfig{CountStatus: func(status int) bool { return status == 201 }})
	e.GET("/x", routers.GinMiddleware(usage), func(c *gin.Context) {
		c.Status(http.StatusCreated)
		c.Writer.WriteString("made")
	})
	w := call(e, "GET /x", "any")
	if w.Code != 201 || w.Body.String() != "made" || inner.n.Load() != 1 || !slices.Equal(outer.statuses(), []int{201}) {
		t.Errorf("%d %q, %d uses, audit %v", w.Code, w.Body, inner.n.Load(), outer.statuses())
	}
	if w := call(e, "GET /nowhere", "any"); w.Code != 404 || w.Body.String() != "404 page not found" {
		t.Errorf("unknown path: %d %q", w.Code, w.Body)
	}
}

// TestGinContext tests that gin's own context has the identity only if the engine is told
// to look into that of the request.
func TestGinContext(t *testing.T) {
	for _, fallback := range []bool{false, true} {
		found := false
		e := gin.New()
		e.ContextWithFallback = fallback
		e.GET("/x", routers.GinMiddleware(middleware.Bearer(ada, nil)), func(c *gin.Context) {
			_, found = middleware.IdentityFromContext(c)
		})
		call(e, "GET /x", "any")
		if found != fallback {
			t.Errorf("ContextWithFallback %t: found %t", fallback, found)
		}
	}
}

// protocols are those of connect's client.
var protocols = map[string][]connect.ClientOption{
	"connect": nil, "connect GET": {connect.WithHTTPGet()}, "gRPC": {connect.WithGRPC()}, "gRPC-Web": {connect.WithGRPCWeb()},
}

// h2Server serves h with HTTP/2, which gRPC needs.
func h2Server(t *testing.T, h http.Handler) *httptest.Server {
	server := httptest.NewUnstartedServer(h)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// callProcedure calls a procedure of connect.
func callProcedure(t *testing.T, server *httptest.Server, path, token string, options []connect.ClientOption) (string, error) {
	options = append(slices.Clone(options), connect.WithIdempotency(connect.IdempotencyNoSideEffects))
	client := connect.NewClient[emptypb.Empty, wrapperspb.StringValue](server.Client(), server.URL+path, options...)
	request := connect.NewRequest(&emptypb.Empty{})
	if token != "" {
		request.Header().Set("Authorization", "Bearer "+token)
	}
	response, err := client.CallUnary(t.Context(), request)
	if err != nil {
		return "", err
	}
	return response.Msg.GetValue(), nil
}

// TestConnectProtocols tests what each protocol's client reads of a refusal, and that only
// calls that succeed count.
func TestConnectProtocols(t *testing.T) {
	uses, log := &counts{}, &audit{}
	server := h2Server(t, routers.Connect(&routers.API{Meter: uses, Audit: log.add}))
	for name, options := range protocols {
		t.Run(name, func(t *testing.T) {
			before := uses.n.Load()
			if text, err := callProcedure(t, server, "/reports", "writer", options); err != nil || text != "bob of acme" {
				t.Errorf("%q, %v", text, err)
			}
			if n := uses.n.Load() - before; n != 1 {
				t.Errorf("%d uses of a call that succeeds, expected 1", n)
			}
			for _, tt := range []struct {
				path, token string
				code        connect.Code
			}{
				{"/reports", "", connect.CodeUnauthenticated},
				{"/reports", "guess", connect.CodeUnauthenticated},
				{"/reports", "other", connect.CodePermissionDenied},
				{"/fails", "reader", connect.CodeInternal},
			} {
				if _, err := callProcedure(t, server, tt.path, tt.token, options); connect.CodeOf(err) != tt.code {
					t.Errorf("%s by %q: %v, expected %v", tt.path, tt.token, err, tt.code)
				}
			}
			if n := uses.n.Load() - before; n != 1 {
				t.Errorf("%d uses after calls that fail, expected 1", n)
			}
		})
	}
}

// TestConnectStatus tests that CountStatus alone counts a call of gRPC that fails, because
// its status is 200.
func TestConnectStatus(t *testing.T) {
	wrapper, uses, _ := counted()
	h := connect.NewUnaryHandler("/fails", func(context.Context, *connect.Request[emptypb.Empty]) (*connect.Response[wrapperspb.StringValue], error) {
		return nil, connect.NewError(connect.CodeInternal, errors.New("it failed"))
	})
	server := h2Server(t, wrapper(h))
	for name, want := range map[string]int64{"connect": 0, "gRPC": 1, "gRPC-Web": 1} {
		before := uses.n.Load()
		_, err := callProcedure(t, server, "/fails", "any", protocols[name])
		if got := uses.n.Load() - before; got != want || connect.CodeOf(err) != connect.CodeInternal {
			t.Errorf("%s: %v, %d uses, expected %d", name, err, got, want)
		}
	}
}

// TestDialectOfGRPC tests that an unknown token is Unauthenticated for clients only with
// the RFC dialect. By default it is 404, which such a client reads as Unimplemented.
func TestDialectOfGRPC(t *testing.T) {
	unknown := middleware.ValidatorFunc(func(context.Context, middleware.Credential) (*middleware.Identity, error) {
		return nil, errorsx.UnknownToken
	})
	guard := middleware.Bearer(unknown, nil)(http.NotFoundHandler())
	for name, tt := range map[string]struct {
		h    http.Handler
		want connect.Code
	}{
		"default": {guard, connect.CodeUnimplemented},
		"RFC":     {middleware.Errors(&errorsx.Writer{Dialect: errorsx.RFC})(guard), connect.CodeUnauthenticated},
	} {
		server := h2Server(t, tt.h)
		for protocol, options := range protocols {
			if _, err := callProcedure(t, server, "/x", "guess", options); connect.CodeOf(err) != tt.want {
				t.Errorf("%s dialect, %s: %v, expected %v", name, protocol, err, tt.want)
			}
		}
	}
}

// TestGatewayOverride tests that a POST of a form is guarded by the route that serves it,
// and that the audit has the method of that route.
func TestGatewayOverride(t *testing.T) {
	log := &audit{}
	h := routers.Gateway(&routers.API{Meter: &counts{}, Audit: log.add})
	for _, tt := range []struct {
		method, path, override, token string
		status                        int
	}{
		{"POST", "/reports", "", "reader", 403},
		{"POST", "/reports", "GET", "reader", 200},
		{"POST", "/reports", "GET", "other", 403},
		{"POST", "/events", "", "", 401}, // served as a GET
		{"GET", "/reports", "POST", "reader", 200},
	} {
		r := httptest.NewRequest(tt.method, tt.path, nil)
		as(tt.token)(r)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("X-HTTP-Method-Override", tt.override)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.status {
			t.Errorf("%+v: %d", tt, w.Code)
		}
	}
	if want := []string{"POST", "GET", "GET", "POST", "GET"}; !slices.Equal(log.methods, want) {
		t.Errorf("the audit has %v, expected %v", log.methods, want)
	}
}

// TestGinStream tests gin's own way to stream. It needs a [http.CloseNotifier], which the
// writers of Observe and Usage must pass on.
func TestGinStream(t *testing.T) {
	wrapper, uses, log := counted()
	stream := func(c *gin.Context) {
		n := 0
		c.Stream(func(io.Writer) bool {
			n++
			c.SSEvent("tick", n)
			return n < 3
		})
	}
	inside := ginServer(stream, false)(wrapper)
	around := gin.New()
	around.GET("/g/x", stream)
	for name, h := range map[string]http.Handler{"inside": inside, "around": wrapper(around)} {
		server := httptest.NewServer(h)
		defer server.Close()
		response := fetch(t, server, "/g/x", "any")
		body, err := io.ReadAll(response.Body)
		if want := "event:tick\ndata:1\n\nevent:tick\ndata:2\n\nevent:tick\ndata:3\n\n"; err != nil || string(body) != want {
			t.Errorf("%s: %d %q, %v", name, response.StatusCode, body, err)
		}
	}
	if n := uses.n.Load(); n != 2 || !slices.Equal(log.statuses(), []int{200, 200}) {
		t.Errorf("%d uses, audit %v", n, log.statuses())
	}
}

// TestEchoGroup tests that a group of echo answers unknown paths below its prefix within
// its middleware, so that a Usage of the group counts them.
func TestEchoGroup(t *testing.T) {
	uses := &counts{}
	e := echo.New()
	guard := middleware.Chain(middleware.Bearer(ada, nil), middleware.Usage(uses, nil))
	e.Group("/g", echo.WrapMiddleware(guard)).GET("/x", noContent)
	if w := call(e, "GET /g/nowhere", "any"); w.Code != 404 || uses.n.Load() != 1 {
		t.Errorf("%d, %d uses, expected 404, 1", w.Code, uses.n.Load())
	}
}

// TestGinWriter tests that an adapter which passes on the request only, and not the
// wrapper's writer, hides the status from Usage and Observe.
func TestGinWriter(t *testing.T) {
	wrapper, uses, log := counted()
	e := gin.New()
	e.GET("/x", func(c *gin.Context) {
		wrapper(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			c.Request = r
			c.Next()
		})).ServeHTTP(c.Writer, c.Request)
	}, func(c *gin.Context) { c.AbortWithStatus(404) })
	if w := call(e, "GET /x", "any"); w.Code != 404 || uses.n.Load() != 1 || !slices.Equal(log.statuses(), []int{200}) {
		t.Errorf("%d, %d uses, audit %v, expected 404, 1, 200", w.Code, uses.n.Load(), log.statuses())
	}
}

// TestGinWriteLate tests two answers that gin writes past the wrapper's writer: to a path
// that it does not know, and to a request that a handler sends through the engine again.
func TestGinWriteLate(t *testing.T) {
	wrapper, uses, _ := counted()
	unknown := gin.New()
	unknown.Use(routers.GinMiddleware(wrapper))
	again := gin.New()
	again.GET("/x", routers.GinMiddleware(wrapper), func(c *gin.Context) {
		c.Request.URL.Path = "/nowhere"
		again.HandleContext(c)
	})
	for n, e := range []*gin.Engine{unknown, again} {
		if w := call(e, "GET /x", "any"); w.Code != 404 || uses.n.Load() != int64(n+1) {
			t.Errorf("engine %d: %d, %d uses, expected 404, %d", n, w.Code, uses.n.Load(), n+1)
		}
	}
}

// TestMiddlewareOfUnknownPaths tests for which routers the middleware of all routes also
// runs for a path that no route has.
func TestMiddlewareOfUnknownPaths(t *testing.T) {
	guard := middleware.Bearer(ada, nil)
	c, e, g, m := chi.NewRouter(), echo.New(), gin.New(), mux.NewRouter()
	c.Use(guard)
	e.Use(echo.WrapMiddleware(guard))
	g.Use(routers.GinMiddleware(guard))
	m.Use(guard)
	c.Get("/x", http.NotFound) // without a route, chi has no middleware either
	m.HandleFunc("/x", http.NotFound)
	for name, tt := range map[string]struct {
		h      http.Handler
		status int
	}{
		"chi": {c, 401}, "echo": {e, 401}, "gin": {g, 401}, "gorilla": {m, 404},
		"gateway": {runtime.NewServeMux(runtime.WithMiddlewares(routers.GatewayMiddleware(guard))), 404},
	} {
		if w := call(tt.h, "GET /nowhere", ""); w.Code != tt.status {
			t.Errorf("%s: %d, expected %d", name, w.Code, tt.status)
		}
	}
}
