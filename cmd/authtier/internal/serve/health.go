package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/authtier/authtier/cmd/authtier/internal/backend"
	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/store"
)

// readTimeout is how long the store may take to prove that it can be read.
const readTimeout = time.Second

// health answers whether the process runs and whether it can do its work.
type health struct {
	keys     store.SigningKeys
	draining atomic.Bool
}

// drain makes the server not ready, so that no further clients are sent to it.
func (h *health) drain() { h.draining.Store(true) }

// alive answers GET /healthz.
func (h *health) alive(w http.ResponseWriter, _ *http.Request) { ok(w) }

// ready answers GET /readyz. It reads the few signing keys from the store.
func (h *health) ready(w http.ResponseWriter, r *http.Request) {
	err := h.check(r.Context())
	if err == nil {
		ok(w)
		return
	}

	var refuse *errorsx.Writer
	if errors.Is(err, errDraining) {
		// This is not a failure, so it is not logged as one.
		refuse = &errorsx.Writer{Dialect: errorsx.RFC, Log: slog.New(slog.DiscardHandler)}
	}
	refuse.Refuse(w, r, "", &errorsx.Error{Code: errorsx.Internal, Status: http.StatusServiceUnavailable, Err: err})
}

var errDraining = errors.New("not ready: draining")

func (h *health) check(ctx context.Context) error {
	if h.draining.Load() {
		return errDraining
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	switch keys, err := h.keys.SigningKeys(ctx, backend.KeySet); {
	case err != nil:
		return fmt.Errorf("not ready: reading the store: %w", err)
	case len(keys) == 0:
		return errors.New("not ready: the store has no signing keys any more")
	}
	return nil
}

func ok(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	io.WriteString(w, "ok\n")
}
