package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/cmd/authtier/internal/drain"
	"github.com/authtier/authtier/issuer"
)

type demoFlags struct {
	addr           string
	sessionTimeout time.Duration
}

// demoCommand returns the demo command.
func demoCommand() *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Serve all four systems from memory, on loopback, with made-up credentials",
		Args:  cli.Args(),
		RunE: cli.Run(func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			ctx, stop := cli.UntilSignal(cmd)
			defer stop()
			return demo(ctx, f, cmd.OutOrStdout())
		}),
	}
	cmd.Flags().StringVar(&f.addr, "addr", "127.0.0.1:8080", "loopback address to listen on; port 0 picks a free one")
	cmd.Flags().DurationVar(&f.sessionTimeout, "session-timeout", 5*time.Minute, "idle timeout of sessions, at least 1s")
	return cmd
}

// check refuses flags that are invalid or would make the demo credentials usable from
// the network.
func (f demoFlags) check() error {
	host, port, err := net.SplitHostPort(f.addr)
	if err != nil {
		return cli.Usagef("--addr %q: %w", f.addr, err)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return cli.Usagef("--addr %q: expected a port from 0 to 65535", f.addr)
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return cli.Usagef("--addr %q: the demo listens only on loopback, such as 127.0.0.1:8080", f.addr)
	}
	if f.sessionTimeout < time.Second {
		return cli.Usagef("--session-timeout %v: expected at least 1s", f.sessionTimeout)
	}
	return nil
}

// shutdownTime is how long running requests may take to finish.
const shutdownTime = 5 * time.Second

// demo serves until ctx ends, and then lets the running requests finish.
func demo(ctx context.Context, f demoFlags, stdout io.Writer) error {
	listener, err := net.Listen("tcp", f.addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	if err := onLoopback(listener.Addr()); err != nil {
		return err
	}

	url := "http://" + listener.Addr().String()
	key, err := issuer.GenerateKey("ES256")
	if err != nil {
		return err
	}
	handler, err := newDemo(ctx, url, key, f.sessionTimeout)
	if err != nil {
		return err
	}
	defer handler.close()

	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		// OPTIONS * is refused like any other path outside the tiers.
		DisableGeneralOptionsHandler: true,
	}

	drainer := drain.New(server, listener)
	served := make(chan error, 1)
	go func() { served <- drainer.Serve() }()
	fmt.Fprintf(stdout, "listening on %s\n\n%s", url, introduction(url))

	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}

	if err := drainer.Drain(shutdownTime); !errors.Is(err, drain.ErrCut) {
		return err
	}
	return nil
}

// onLoopback refuses a listener address that is not loopback. The system resolves a
// name such as localhost, and may have found any address.
func onLoopback(a net.Addr) error {
	if tcp, ok := a.(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		return fmt.Errorf("the demo listens only on loopback, and %v is not", a)
	}
	return nil
}

func introduction(url string) string {
	return fmt.Sprintf(`tiers    API key my_api_key, user user_email@email.com / user_password
oauth2   client demo-client / demo-secret, user user_email@email.com / user_password
session  login demo / demo-password
partner  client demo-partner / demo-partner-secret, client other-partner / other-partner-secret

curl -H 'X-API-KEY: my_api_key' %[1]s/public/token -d '{"grant_type":"password","username":"user_email@email.com","password":"user_password"}'
curl -u demo-client:demo-secret %[1]s/oauth2/token -d grant_type=client_credentials
curl -b cookies.txt -c cookies.txt -u demo:demo-password '%[1]s/api/login?_json=true'
curl -u demo-partner:demo-partner-secret %[1]s/partner/
`, url)
}
