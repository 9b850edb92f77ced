package routers

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/authtier/authtier/middleware"
)

// Connect serves the API with connect: its procedures are handlers of a [http.ServeMux],
// beside others. A wrapper is around the mux or around one handler, without an adapter.
func Connect(a *API) http.Handler {
	readOnly := connect.WithIdempotency(connect.IdempotencyNoSideEffects) // also by GET
	successes := connect.WithInterceptors(CountSuccesses())
	reports := func(ctx context.Context, _ *connect.Request[emptypb.Empty]) (*connect.Response[wrapperspb.StringValue], error) {
		return connect.NewResponse(wrapperspb.String(greeting(ctx))), nil
	}
	fails := func(context.Context, *connect.Request[emptypb.Empty]) (*connect.Response[emptypb.Empty], error) {
		return nil, connect.NewError(connect.CodeInternal, errors.New("it failed"))
	}

	procedures := a.usageOfProcedures()
	read := middleware.Chain(bearer(), middleware.Scope(readScope), procedures)
	write := middleware.Chain(bearer(), middleware.Scope(writeScope), procedures)
	plain := middleware.Chain(bearer(), middleware.Scope(readScope), a.usage())

	mux := http.NewServeMux()
	mux.HandleFunc("GET /open", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "open") })
	mux.Handle("GET /reports", read(connect.NewUnaryHandler("/reports", reports, readOnly, successes)))
	mux.Handle("POST /reports", write(connect.NewUnaryHandler("/reports", reports, successes)))
	mux.Handle("/fails", read(connect.NewUnaryHandler("/fails", fails, readOnly, successes)))
	mux.Handle("GET /events", plain(http.HandlerFunc(a.events)))
	mux.Handle("GET /ws", plain(http.HandlerFunc(socket)))
	return a.door()(mux)
}

// usageOfProcedures returns a wrapper that counts nothing by itself. [CountSuccesses] adds
// the calls that succeed. CountStatus alone would do for the protocol of connect, which
// sends an error as a status. With gRPC and gRPC-Web, the status is always 200 and the
// error is in the trailers.
func (a *API) usageOfProcedures() middleware.Wrapper {
	return middleware.Usage(a.Meter, &middleware.UsageConfig{CountStatus: func(int) bool { return false }})
}

// CountSuccesses returns an interceptor that counts one use for each unary call that
// returns no error. The handler must be within a [middleware.Usage] that counts no status.
func CountSuccesses() connect.Interceptor {
	return connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
			response, err := next(ctx, request)
			if err != nil {
				return nil, err
			}
			if err := middleware.AddUsage(ctx, 1); err != nil {
				return nil, connect.NewError(connect.CodeUnavailable, errors.New("the call cannot be counted"))
			}
			return response, nil
		}
	})
}
