package doctor

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/middleware/idp"
)

// fetchTime bounds the time for one issuer.
const fetchTime = 10 * time.Second

// checkTrusted fetches the key sets of the trusted issuers, as a starting server does.
func (e *examination) checkTrusted(ctx context.Context) error {
	for _, cfg := range e.trusted {
		cfg.Log = slog.New(slog.DiscardHandler)
		e.checkIssuer(ctx, cfg)
	}
	return nil
}

func (e *examination) checkIssuer(ctx context.Context, cfg idp.Config) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	name := cfg.Issuers[0]
	began := time.Now()
	v, err := idp.Open(ctx, cfg)
	took := time.Since(began).Round(time.Millisecond)
	if err != nil {
		e.add(fault, "check the URL, and that this machine can reach it", "the keys of %q cannot be fetched: %s", name, cli.OneLine(err))
		return
	}
	defer v.Close()

	switch s := v.Stats()[0]; {
	case s.Err != nil:
		e.add(fault, "check the URL, and that this machine can reach it", "the keys of %q cannot be fetched: %s", name, cli.OneLine(s.Err))
	case s.Keys == 0:
		e.add(fault, "check the URL: no token of this issuer can be accepted", "%q has no key that verifies tokens, and %s of other kinds", name, cli.Plural(s.Skipped, "key"))
	case strings.HasPrefix(name, "http:"):
		e.add(good, "", "%q has %s, fetched in %v without TLS", name, cli.Plural(s.Keys, "key"), took)
	default:
		e.add(good, "", "%q has %s, fetched in %v", name, cli.Plural(s.Keys, "key"), took)
	}
}
