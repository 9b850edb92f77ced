package password

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/authtier/authtier/errorsx"
)

// waitQueued returns when n wait for their turn.
func (l *limiter) waitQueued(t *testing.T, n int) {
	t.Helper()
	queued := -1
	for end := time.Now().Add(10 * time.Second); queued != n && time.Now().Before(end); runtime.Gosched() {
		l.mu.Lock()
		queued = len(l.queue)
		l.mu.Unlock()
	}
	if queued != n {
		t.Errorf("%d wait, want %d", queued, n)
	}
}

// TestHashingSurvives checks that every place is usable again after a panic, and after
// a caller has left.
func TestHashingSurvives(t *testing.T) {
	l := newLimiter(1)
	if err := l.do(t.Context(), func() { panic("a bad hash") }); !errors.Is(err, errorsx.Internal) {
		t.Errorf("got %v, want %v", err, errorsx.Internal)
	}
	started, end := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		l.do(t.Context(), func() {
			close(started)
			<-end
		})
	})
	<-started
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() { left <- l.do(ctx, func() { t.Error("a hash was made for nobody") }) }()
	l.waitQueued(t, 1)
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the caller that left: got %v, want %v", err, context.Canceled)
	}
	for range maxWaiting {
		all.Go(func() {
			ran := false
			if err := l.do(t.Context(), func() { ran = true }); err != nil || !ran {
				t.Errorf("afterwards: ran %v, %v", ran, err)
			}
		})
	}
	l.waitQueued(t, maxWaiting)
	if err := l.do(t.Context(), func() {}); !errors.Is(err, errorsx.TooManyRequests) {
		t.Errorf("with every place taken: got %v, want %v", err, errorsx.TooManyRequests)
	}
	close(end)
	all.Wait()
}
