package redis_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/faultproxy"
	"github.com/authtier/authtier/store/internal/services"
	"github.com/authtier/authtier/store/redis"
)

// A listener counts hints.
type listener struct {
	hints chan struct{}
	ended chan error
}

func listen(ctx context.Context, h *redis.Store) *listener {
	l := &listener{make(chan struct{}, 1000), make(chan error, 1)}
	go func() { l.ended <- h.Hint(ctx, func() { l.hints <- struct{}{} }) }()
	return l
}

// hint waits for a hint, and fails after the given time.
func (l *listener) hint(t *testing.T, within time.Duration) {
	t.Helper()
	select {
	case <-l.hints:
	case err := <-l.ended:
		t.Fatalf("no hint, but %v", err)
	case <-time.After(within):
		t.Fatalf("no hint within %v", within)
	}
}

// end waits for Hint to return. It calls spoil repeatedly, because Hint does not notice a
// fault between two of its reads.
func (l *listener) end(t *testing.T, within time.Duration, spoil func()) error {
	t.Helper()
	for begin := time.Now(); time.Since(begin) < within; {
		spoil()
		select {
		case err := <-l.ended:
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
	t.Fatalf("hints did not end within %v", within)
	return nil
}

func TestHint(t *testing.T) {
	s := services.SharedRedis(t)
	cfg := redis.Config{Namespace: services.Name()}
	writer, reader := open(t, s.DSN(), cfg), open(t, s.DSN(), cfg)
	prepare(t, writer)
	ctx, cancel := context.WithCancel(t.Context())
	l := listen(ctx, reader)
	l.hint(t, 2*time.Second) // for changes that were made before
	_, cursor, err := reader.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		begin := time.Now()
		if err := writer.Revoke(t.Context(), store.Change{Kind: store.KindFamily, ID: "f"}); err != nil {
			t.Fatal(err)
		}
		l.hint(t, time.Second)
		if took := time.Since(begin); took > 250*time.Millisecond {
			t.Errorf("a hint took %v", took)
		}
		var cs []store.Change
		if cs, cursor, err = reader.Since(t.Context(), cursor); err != nil || len(cs) != 1 {
			t.Errorf("after the hint: got %v, %v, want the change", cs, err)
		}
	}
	if err := writer.PutTokens(t.Context(), token("quiet", "q")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-l.hints:
		t.Error("a hint without a change")
	case <-time.After(50 * time.Millisecond):
	}
	if err := l.end(t, time.Second, cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v, want %v", err, context.Canceled)
	}
}

// TestHintBreaks breaks the connection. Hint must return an error, and the next Hint must
// hint at changes that were made in between.
func TestHintBreaks(t *testing.T) {
	s := services.SharedRedis(t)
	p := faultproxy.New(t, s.Addr())
	cfg := redis.Config{Namespace: services.Name()}
	writer, reader := open(t, s.DSN(), cfg), open(t, services.At(s.DSN(), p.Addr()), cfg)
	for what, spoil := range map[string]func(){ // each can be repeated without harm
		"reset": p.Reset, "disconnected": p.Disconnect, "silent": p.BlackHole, "refused": func() { p.Refuse(); p.Reset() },
	} {
		l := listen(t.Context(), reader)
		l.hint(t, 2*time.Second)
		if err := l.end(t, 5*time.Second, spoil); err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("%s: ended with %v, want the fault", what, err)
		}
		p.Heal()
		p.Admit(t)
	}
	l := listen(t.Context(), reader)
	l.hint(t, 2*time.Second)
	if err := writer.Revoke(t.Context(), store.Change{Kind: store.KindFamily, ID: "f"}); err != nil {
		t.Fatal(err)
	}
	l.hint(t, time.Second)
	if err := l.end(t, time.Second, func() { reader.Close() }); err == nil {
		t.Error("a closed store: ended without an error")
	}
}

// TestHintAnew empties the namespace during Hint. The numbers of changes begin again, and
// hints must still come.
func TestHintAnew(t *testing.T) {
	s := services.SharedRedis(t)
	ns := services.Name()
	h := open(t, s.DSN(), redis.Config{Namespace: ns})
	for range 3 {
		if err := h.Revoke(t.Context(), store.Change{Kind: store.KindFamily, ID: "f"}); err != nil {
			t.Fatal(err)
		}
	}
	l := listen(t.Context(), h)
	l.hint(t, 2*time.Second)
	do(t, raw(t, s), "DEL", "{"+ns+"}:changes")
	if err := h.Revoke(t.Context(), store.Change{Kind: store.KindFamily, ID: "f"}); err != nil {
		t.Fatal(err)
	}
	l.hint(t, 5*time.Second)
}
