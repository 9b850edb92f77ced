package routers

import (
	"fmt"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/authtier/authtier/middleware"
)

// Gateway serves the API with grpc-gateway. [GatewayMiddleware] makes a wrapper a
// middleware of it. Middleware does not run for unknown paths, so the door is around the
// mux.
//
// grpc-gateway may serve a POST of a form as a GET, or by the method in its header
// X-HTTP-Method-Override. A guard that depends on the method therefore belongs to the route.
func Gateway(a *API) http.Handler {
	usage := a.usage()
	reports := func(w http.ResponseWriter, r *http.Request, _ map[string]string) {
		fmt.Fprintln(w, greeting(r.Context()))
	}

	mux := runtime.NewServeMux() // runtime.WithMiddlewares is for all routes
	fails := func(w http.ResponseWriter, r *http.Request, _ map[string]string) {
		_, marshaler := runtime.MarshalerForRequest(mux, r)
		runtime.HTTPError(r.Context(), mux, marshaler, w, r, status.Error(codes.Internal, "it failed"))
	}

	read := GatewayMiddleware(middleware.Chain(bearer(), middleware.Scope(readScope), usage))
	write := GatewayMiddleware(middleware.Chain(bearer(), middleware.Scope(writeScope), usage))
	for _, route := range []struct {
		method, path string
		handler      runtime.HandlerFunc
	}{
		{"GET", "/open", func(w http.ResponseWriter, _ *http.Request, _ map[string]string) { fmt.Fprintln(w, "open") }},
		{"GET", "/reports", read(reports)},
		{"POST", "/reports", write(reports)},
		{"GET", "/fails", read(fails)},
		{"GET", "/events", read(func(w http.ResponseWriter, r *http.Request, _ map[string]string) { a.events(w, r) })},
		{"GET", "/ws", read(func(w http.ResponseWriter, r *http.Request, _ map[string]string) { socket(w, r) })},
	} {
		if err := mux.HandlePath(route.method, route.path, route.handler); err != nil {
			panic(err) // the path is no pattern
		}
	}
	return a.door()(mux)
}

// GatewayMiddleware makes a wrapper a middleware of grpc-gateway, for one handler or for
// [runtime.WithMiddlewares].
func GatewayMiddleware(wrapper middleware.Wrapper) runtime.Middleware {
	return func(next runtime.HandlerFunc) runtime.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request, params map[string]string) {
			wrapper(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next(w, r, params) })).ServeHTTP(w, r)
		}
	}
}
