package serve

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/bcrypt"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/cmd/authtier/internal/trust"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware/idp"
)

// settings are options that were checked.
type settings struct {
	*options
	log      *slog.Logger
	level    slog.Level     // from logLevel
	loopback bool           // addr is on this machine
	proxies  []netip.Prefix // from trustedProxies
	trusted  []idp.Config   // from trustIssuers
}

// tls reports whether the server speaks TLS itself.
func (s *settings) tls() bool { return s.tlsCert != "" }

// proxied reports whether only proxies may use the server: beyond loopback, it speaks
// plain HTTP with them.
func (s *settings) proxied() bool { return !s.loopback && !s.tls() }

// check returns the settings, or an error that names the flag or the variable that is
// wrong. It opens nothing.
func (o *options) check(cmd *cobra.Command) (*settings, error) {
	s := &settings{options: o}
	for _, check := range []func(*cobra.Command) error{
		s.checkAddr, s.checkMetricsAddr, s.checkTLS, s.checkProxies, s.checkIssuer, s.checkExposure, s.checkRest, s.checkTrusted,
	} {
		if err := check(cmd); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// splitAddr returns the host of an address, and whether it is on loopback. The system
// resolves any name but localhost only when it listens.
func splitAddr(place, addr string) (host string, loopback bool, err error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", false, cli.Usagef("%s: %q is not an address, expected one such as 127.0.0.1:8080", place, addr)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", false, cli.Usagef("%s: %q has no port, expected a number from 0 to 65535", place, addr)
	}
	ip, err := netip.ParseAddr(host)
	return host, host == "localhost" || err == nil && ip.IsLoopback(), nil
}

func (s *settings) checkAddr(cmd *cobra.Command) (err error) {
	_, s.loopback, err = splitAddr(cli.Place(cmd, "addr"), s.addr)
	return err
}

func (s *settings) checkMetricsAddr(cmd *cobra.Command) error {
	if s.metricsAddr == "" {
		return nil
	}
	name := cli.Place(cmd, "metrics-addr")
	_, loopback, err := splitAddr(name, s.metricsAddr)
	if err == nil && !loopback {
		return cli.Usagef("%s: %q is not on loopback, and anyone could read the metrics there: expected one such as 127.0.0.1:9090", name, s.metricsAddr)
	}
	return err
}

func (s *settings) checkTLS(cmd *cobra.Command) error {
	switch {
	case s.tlsCert != "" && s.tlsKey == "":
		return cli.Usagef("%s is set and --tls-key is not, expected both", cli.Place(cmd, "tls-cert"))
	case s.tlsKey != "" && s.tlsCert == "":
		return cli.Usagef("%s is set and --tls-cert is not, expected both", cli.Place(cmd, "tls-key"))
	}
	return nil
}

func (s *settings) checkProxies(cmd *cobra.Command) error {
	for _, text := range s.trustedProxies {
		p, err := cli.ParseNetwork(strings.TrimSpace(text))
		if err == nil && p.Bits() == 0 {
			err = errors.New("it holds every address, expected only those of your proxies")
		}
		if err != nil {
			return cli.Usagef("%s: %q: %w", cli.Place(cmd, "trusted-proxy"), text, err)
		}
		s.proxies = append(s.proxies, p)
	}
	return nil
}

func (s *settings) checkTrusted(cmd *cobra.Command) (err error) {
	s.trusted, err = trust.Read(cmd, s.trustIssuers)
	return err
}

// checkIssuer refuses a URL that the issuer would refuse, before anything is opened.
func (s *settings) checkIssuer(cmd *cobra.Command) error {
	if s.Issuer == "" {
		return nil
	}
	if err := s.CheckIssuer(cmd); err != nil {
		return err
	}

	place := cli.Place(cmd, "issuer")
	if _, err := tiers(s.Issuer); err != nil {
		return cli.Usagef("%s: %q has a path that cannot be served: %w", place, s.Issuer, err)
	}
	if s.tls() && !strings.HasPrefix(s.Issuer, "https:") {
		return cli.Usagef("%s: %q is http, and the server speaks TLS: expected an https URL", place, s.Issuer)
	}
	return nil
}

// checkExposure refuses to show credentials to the network.
func (s *settings) checkExposure(cmd *cobra.Command) error {
	switch {
	case s.loopback && len(s.proxies) > 0 && s.Issuer == "":
		return cli.Usagef("--issuer is missing: with --trusted-proxy, it must be the URL at which clients reach the proxy")
	case s.loopback:
		return nil
	case !s.tls() && len(s.proxies) == 0:
		return cli.Usagef("%s: %q is not on loopback, and plain HTTP would show every credential to the network: give --tls-cert and --tls-key, or name the proxy that speaks TLS with --trusted-proxy", cli.Place(cmd, "addr"), s.addr)
	case s.Issuer == "":
		return cli.Usagef("--issuer is missing: beyond loopback, it must be the https URL at which clients reach this server")
	case !strings.HasPrefix(s.Issuer, "https:"):
		return cli.Usagef("%s: %q: beyond loopback, it must be the https URL at which clients reach this server", cli.Place(cmd, "issuer"), s.Issuer)
	}
	return nil
}

func (s *settings) checkRest(cmd *cobra.Command) error {
	dir, err := s.UsageDir(cmd)
	if err != nil {
		return err
	}
	s.usageDir = dir
	if s.KeyFile == "" {
		return cli.Usagef("%s is empty, expected the name of a file", cli.Place(cmd, "key-file"))
	}

	if err := s.level.UnmarshalText([]byte(s.logLevel)); err != nil {
		return cli.Usagef("%s: %q: expected debug, info, warn or error", cli.Place(cmd, "log-level"), s.logLevel)
	}
	if s.bcryptCost != 0 && (s.bcryptCost < bcrypt.MinCost || s.bcryptCost > issuer.MaxBcryptCost) {
		return cli.Usagef("%s is %d, expected 0 or %d to %d", cli.Place(cmd, "bcrypt-cost"), s.bcryptCost, bcrypt.MinCost, issuer.MaxBcryptCost)
	}

	for _, f := range []struct {
		name     string
		d        time.Duration
		min, max time.Duration
	}{
		{"session-timeout", s.sessionTimeout, time.Second, idp.MaxLifetime},
		{"drain-delay", s.drainDelay, 0, time.Hour},
		{"drain-timeout", s.drainTimeout, time.Second, time.Hour},
	} {
		if f.d < f.min || f.d > f.max {
			return cli.Usagef("%s is %v, expected %v to %v", cli.Place(cmd, f.name), f.d, f.min, f.max)
		}
	}
	return nil
}
