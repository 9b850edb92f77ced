package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/backend"
	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/cmd/authtier/internal/drain"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/issuer/partner"
	"github.com/authtier/authtier/issuer/session"
	"github.com/authtier/authtier/middleware/idp"
	"github.com/authtier/authtier/store/meter"
)

// A site is an authorization server with everything that it has opened.
type site struct {
	*settings
	db       backend.Store
	listener net.Listener
	url      string // of the listener

	iss      *issuer.Issuer
	verifier *idp.Verifier // nil if no other issuer is trusted
	usage    *meter.Meter
	sessions *session.Manager
	partners *partner.Partner
	health   *health

	certificate *certificate         // nil without TLS
	metrics     *prometheus.Registry // nil without metrics
	observed    net.Listener         // for metrics, or nil

	closers []func() error // in the order of opening
}

// open opens a site. The steps that change something come last, so that a failure leaves
// nothing behind. On an error, everything is closed.
func open(ctx context.Context, cmd *cobra.Command, s *settings) (*site, error) {
	t := &site{settings: s}
	err := func() error {
		for _, step := range []func(context.Context, *cobra.Command) error{
			t.openCertificate, t.openStore, t.listen, t.openIssuer, t.openMetrics, t.openUsage, t.openSystems,
		} {
			if err := step(ctx, cmd); err != nil {
				return err
			}
		}
		return nil
	}()
	if err != nil {
		t.close() // the first error says what to do
		return nil, err
	}
	return t, nil
}

// close closes everything, in the reverse order of opening: the meter records its last
// counts, then the issuer ends, then the store.
func (t *site) close() error {
	var errs []error
	for _, c := range slices.Backward(t.closers) {
		errs = append(errs, c())
	}
	t.closers = nil
	return errors.Join(errs...)
}

func (t *site) onClose(f func() error) { t.closers = append(t.closers, f) }

func (t *site) openCertificate(context.Context, *cobra.Command) (err error) {
	if t.tls() {
		t.certificate, err = loadCertificate(t.tlsCert, t.tlsKey, t.log)
	}
	return err
}

// listen listens on the address. Connections wait until the site serves them.
func (t *site) listen(ctx context.Context, cmd *cobra.Command) error {
	listener, err := listenOn(ctx, cli.Place(cmd, "addr"), t.addr, t.loopback)
	if err != nil {
		return err
	}
	t.listener = listener
	t.onClose(func() error { listener.Close(); return nil })

	scheme := "http"
	if t.tls() {
		scheme = "https"
	}
	t.url = scheme + "://" + listener.Addr().String()
	if t.Issuer == "" {
		t.Issuer = t.url
	}
	return nil
}

// listenOn listens on an address. If loopback is set, it refuses a name such as localhost
// that the system has resolved to an address beyond loopback.
func listenOn(ctx context.Context, place, addr string, loopback bool) (net.Listener, error) {
	var cfg net.ListenConfig
	listener, err := cfg.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot listen on %q: %w: choose another address, or end the program that listens there", place, addr, err)
	}
	if tcp, ok := listener.Addr().(*net.TCPAddr); loopback && (!ok || !tcp.IP.IsLoopback()) {
		listener.Close()
		return nil, fmt.Errorf("%s: %q resolves to %v, which is not on loopback: give the address 127.0.0.1", place, addr, listener.Addr())
	}
	return listener, nil
}

// serve serves until ctx ends, and then lets the running requests finish.
func (t *site) serve(ctx context.Context, stdout io.Writer) error {
	handler, err := t.handler()
	if err != nil {
		return err
	}
	server := newServer(handler, t.log)
	if t.certificate != nil {
		server.TLSConfig = &tls.Config{GetCertificate: t.certificate.get}
	}

	drainer := drain.New(server, t.listener)
	served := make(chan error, 1)
	go func() { served <- drainer.Serve() }()
	t.serveMetrics()
	t.introduce(stdout)

	select {
	case err := <-served:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}

	t.log.Info("draining", "delay", t.drainDelay, "timeout", t.drainTimeout)
	t.health.drain()
	time.Sleep(t.drainDelay) // a second signal ends the process
	if err := drainer.Drain(t.drainTimeout); err != nil {
		return fmt.Errorf("draining: %w", err)
	}
	return nil
}

// introduce prints the first line and logs the settings that matter.
func (t *site) introduce(stdout io.Writer) {
	fmt.Fprintf(stdout, "listening on %s\n", t.url)
	t.log.Info("serving", "issuer", t.Issuer, "usage", t.usageDir, "trusted_issuers", len(t.trusted), "trusted_proxies", len(t.proxies))
	_, port, _ := net.SplitHostPort(t.listener.Addr().String())
	if u, err := url.Parse(t.Issuer); err == nil && u.Scheme == "http" && u.Port() != port {
		t.log.Warn("the issuer has another port than the listening address: set --addr or --issuer", "issuer", t.Issuer, "url", t.url)
	}
	if t.loopback && !t.tls() && len(t.proxies) == 0 && strings.HasPrefix(t.Issuer, "https:") {
		t.log.Warn("the issuer is https and no proxy is trusted, so cookies are not Secure and all clients have one address: set --trusted-proxy")
	}
	if t.allowPassword {
		t.log.Warn("the password grant is on, which shows users' passwords to the applications")
	}
}

func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10, // a credential has at most 8 KiB
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),

		// OPTIONS * is refused like any other path that there is not.
		DisableGeneralOptionsHandler: true,
	}
}
