// Command mcp is a server of the Model Context Protocol behind authtier, with an issuer of
// its own, and a client that finds its way from the 401 alone.
//
//	go run .
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

// openIssuer opens an issuer at base whose tokens are for the MCP server, with one client.
// It returns the client's secret.
func openIssuer(ctx context.Context, base string) (*issuer.Issuer, string, error) {
	iss, err := issuer.Open(ctx, base, memory.New(), &issuer.Config{Audience: base + "/mcp", AllowEphemeralKeys: true})
	if err != nil {
		return nil, "", err
	}
	secret, err := iss.CreateClient(ctx, store.Client{
		ID: "agent", Scopes: []string{"tools", "other"}, Default: []string{"tools"}, Grants: []string{store.GrantClientCredentials},
	})
	return iss, secret, err
}

// call connects to the MCP server and calls its tool. The client knows the server's URL
// and its own credentials.
func call(ctx context.Context, endpoint string, c *credentials) (string, error) {
	client := mcp.NewClient(&mcp.Implementation{Name: "example-client", Version: "1"}, nil)
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: endpoint, OAuthHandler: c}, nil)
	if err != nil {
		return "", err
	}
	defer session.Close()
	result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "whoami"})
	if err != nil {
		return "", err
	}
	text, ok := result.Content[0].(*mcp.TextContent)
	if !ok || result.IsError {
		return "", fmt.Errorf("the tool answered %v", result.Content)
	}
	return text.Text, nil
}

func run(ctx context.Context) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	base := "http://" + listener.Addr().String()
	iss, secret, err := openIssuer(ctx, base)
	if err != nil {
		return err
	}
	defer iss.Close()

	server := &http.Server{Handler: handler(base, iss)}
	defer server.Close()
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Print(err)
		}
	}()

	answer, err := call(ctx, base+"/mcp", &credentials{id: "agent", secret: secret})
	if err != nil {
		return err
	}
	fmt.Println(answer)
	return nil
}

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}
