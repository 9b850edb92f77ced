// Package serve is the command that serves an authorization server from a store.
package serve

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/backend"
	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/cmd/authtier/internal/trust"
)

// Command returns the command serve.
func Command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the authorization server of a store",
		Long:  long(),
		Args:  cli.Args(),
		RunE: cli.Run(func(cmd *cobra.Command, _ []string) error {
			ctx, stop := cli.UntilSignal(cmd)
			defer stop()
			return serve(ctx, cmd, &o)
		}),
	}
	o.add(cmd)
	return cmd
}

// options are the flags of the command.
type options struct {
	backend.Flags

	addr            string
	tlsCert, tlsKey string
	trustedProxies  []string
	metricsAddr     string

	usageDir       string // with its default
	trustIssuers   []string
	allowPassword  bool
	bcryptCost     int
	sessionTimeout time.Duration

	drainDelay, drainTimeout time.Duration
	logLevel                 string
}

// add adds the flags to cmd. Each of them has a variable.
func (o *options) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	o.AddStore(flags)
	o.AddKeyFile(flags)
	flags.StringVar(&o.Issuer, "issuer", "", "the `URL` at which clients reach this server, which is the iss of its tokens (default: the listening address)")

	flags.StringVar(&o.addr, "addr", "127.0.0.1:8080", "the `address` to listen on; port 0 picks a free one")
	flags.StringVar(&o.tlsCert, "tls-cert", "", "a PEM `file` with the certificate and its chain")
	flags.StringVar(&o.tlsKey, "tls-key", "", "a PEM `file` with the key of --tls-cert")
	flags.StringSliceVar(&o.trustedProxies, "trusted-proxy", nil, "the `networks` or addresses of the proxies whose X-Forwarded-For and X-Forwarded-Proto count")
	flags.StringVar(&o.metricsAddr, "metrics-addr", "", "a loopback `address` for Prometheus metrics at /metrics; if empty, there are none")

	o.AddUsageDir(flags)
	trust.AddFlag(flags, &o.trustIssuers, "a `provider` whose tokens /me accepts, see above; may be repeated")
	flags.BoolVar(&o.allowPassword, "allow-password-grant", false, "allow the password grant, which RFC 9700 says must not be used")
	flags.IntVar(&o.bcryptCost, "bcrypt-cost", 0, "the highest `cost` of imported bcrypt hashes, 4 to 15, so that all failed logins take equally long; 0 if there are none")
	flags.DurationVar(&o.sessionTimeout, "session-timeout", 5*time.Minute, "the idle timeout of sessions, at least 1s")

	flags.DurationVar(&o.drainDelay, "drain-delay", 0, "how long to keep accepting connections after a signal, with /readyz at 503")
	flags.DurationVar(&o.drainTimeout, "drain-timeout", 20*time.Second, "how long running requests may take to finish after a signal")

	flags.StringVar(&o.logLevel, "log-level", "info", "the lowest `level` that is logged: debug, info, warn or error; debug also logs why tokens are refused")

	cli.Env(flags, "issuer", "addr", "tls-cert", "tls-key", "trusted-proxy", "metrics-addr",
		"allow-password-grant", "bcrypt-cost", "session-timeout", "drain-delay", "drain-timeout", "log-level")
}

// openTimeout is how long opening the store and asking the trusted issuers may take.
const openTimeout = 30 * time.Second

// serve opens everything that the flags name, serves until ctx ends, and closes it.
func serve(ctx context.Context, cmd *cobra.Command, o *options) error {
	s, err := o.check(cmd)
	if err != nil {
		return err
	}

	s.log = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: s.level}))
	opening, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	site, err := open(opening, cmd, s)
	switch {
	case err != nil && ctx.Err() != nil:
		return errors.New("interrupted by a signal before it listened")
	case err != nil:
		return err
	}
	// A variable that is spelt wrongly would otherwise go unnoticed.
	for _, name := range cli.UnknownVariables(cmd) {
		s.log.Warn("a variable of the environment belongs to no flag", "name", name)
	}
	return errors.Join(site.serve(ctx, cmd.OutOrStdout()), site.close())
}
