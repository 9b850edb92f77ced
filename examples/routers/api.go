package routers

import (
	"context"
	"fmt"
	"net/http"

	"github.com/coder/websocket"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// The scopes of the API.
const (
	readScope  = "reports:read"
	writeScope = "reports:write"
)

// An API holds the parts that all routers share. Each router serves these routes:
//
//	GET  /open     for everybody
//	GET  /reports  scope reports:read
//	POST /reports  scope reports:write
//	GET  /fails    scope reports:read; its handler fails
//	GET  /events   scope reports:read; three server-sent events
//	GET  /ws       scope reports:read; a WebSocket that echoes
type API struct {
	// Meter counts the requests that succeed. A program uses a meter.Product.
	Meter middleware.Meter

	// Audit is called once for each request, when it ends.
	Audit func(r *http.Request, d middleware.Decision)

	// Pause waits after each event.
	Pause func(ctx context.Context)
}

// door belongs around a router, so that it also sees the answers to unknown paths. The
// RFC dialect answers 401 to every wrong token. Clients of gRPC understand this status.
func (a *API) door() middleware.Wrapper {
	return middleware.Chain(
		middleware.Observe(a.Audit),
		middleware.Errors(&errorsx.Writer{Dialect: errorsx.RFC, Realm: "reports"}),
	)
}

// usage returns a wrapper that counts a request unless it fails. Call it once for each
// router, because two wrappers around one route would count twice.
func (a *API) usage() middleware.Wrapper {
	return middleware.Usage(a.Meter, &middleware.UsageConfig{CountStatus: succeeded})
}

// succeeded reports whether a status is no error. A WebSocket has the status 101.
func succeeded(status int) bool { return status < 400 }

// bearer authenticates.
func bearer() middleware.Wrapper { return middleware.Bearer(tokens, nil) }

// tokens knows three tokens. A program uses an issuer's validator or package idp.
var tokens = middleware.ValidatorFunc(func(_ context.Context, c middleware.Credential) (*middleware.Identity, error) {
	known := map[string]middleware.Identity{
		"reader": {Issuer: "https://issuer.example", Client: "acme", User: "ada", Scopes: readScope},
		"writer": {Issuer: "https://issuer.example", Client: "acme", User: "bob", Scopes: readScope + " " + writeScope},
		"other":  {Issuer: "https://issuer.example", Client: "umbrella", Scopes: "mail"},
	}
	id, ok := known[c.Secret]
	if !ok {
		return nil, errorsx.UnknownToken
	}
	return &id, nil
})

// greeting returns the body of /reports. ctx is the context of the request.
func greeting(ctx context.Context) string {
	id, ok := middleware.IdentityFromContext(ctx)
	if !ok {
		return "nobody"
	}
	return id.User + " of " + id.Client
}

// events sends three server-sent events and flushes each of them.
func (a *API) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for n := range 3 {
		fmt.Fprintf(w, "data: %d for %s\n\n", n, greeting(r.Context()))
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
		a.Pause(r.Context())
	}
}

// socket greets the client of a WebSocket and then echoes each message.
func socket(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	defer conn.CloseNow()

	ctx := r.Context()
	if conn.Write(ctx, websocket.MessageText, []byte(greeting(ctx))) != nil {
		return
	}
	for {
		kind, message, err := conn.Read(ctx)
		if err != nil || conn.Write(ctx, kind, message) != nil {
			return
		}
	}
}
