package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
)

// handler serves an authorization server and, at /mcp, an MCP server whose tools need a
// token of it with the scope tools. base is the URL at which clients call the handler.
func handler(base string, iss *issuer.Issuer) http.Handler {
	server := mcp.NewServer(&mcp.Implementation{Name: "authtier-example", Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "whoami", Description: "says who calls"}, whoami)
	tools := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil)

	mux := http.NewServeMux()
	iss.Register(mux)
	resource := middleware.ProtectedResource(mux, middleware.ResourceConfig{
		URL: base + "/mcp", AuthorizationServers: []string{iss.URL()}, Scopes: []string{"tools"}, Name: "Example tools",
	})
	guard := middleware.Chain(resource, middleware.Bearer(iss.Validator(), nil), middleware.Scope("tools"))
	mux.Handle("/mcp", guard(tools))

	// Clients of MCP authorize on a 401, which the dialect of the RFCs answers to a token
	// that is wrong or has expired.
	return middleware.Errors(&errorsx.Writer{Dialect: errorsx.RFC})(mux)
}

type nothing struct{}

// whoami answers with the client of the request's token.
func whoami(ctx context.Context, _ *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, nothing, error) {
	id, ok := middleware.IdentityFromContext(ctx)
	if !ok {
		return nil, nothing{}, fmt.Errorf("nobody is authenticated")
	}
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "hello " + id.Client}}}, nothing{}, nil
}
