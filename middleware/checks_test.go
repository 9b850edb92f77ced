package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// A bench is a validator of signed tokens that counts how many it checks at once. The
// payload of a token says what happens to it.
type bench struct {
	cache   *middleware.Cache
	tokens  int
	running atomic.Int64
	release chan struct{} // closed to let tokens go that block
}

func newBench(t *testing.T) *bench {
	b := &bench{release: make(chan struct{})}
	b.cache = newCache(t, localFunc(b.validate), 10_000, middleware.CacheConfig{TTL: time.Hour})
	return b
}

func (b *bench) validate(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
	b.running.Add(1)
	defer b.running.Add(-1)
	kind := strings.Split(c.Secret, ".")[1]
	if strings.HasPrefix(kind, "slow") {
		<-b.release
	}
	switch kind {
	case "bad", "slowbad":
		return nil, errorsx.BadSignature
	case "expired":
		return nil, errorsx.TokenExpired
	case "broken":
		return nil, errors.New("store down")
	case "panics":
		panic("broken")
	case "exits":
		runtime.Goexit()
	case "past":
		return &middleware.Identity{Client: "app", Expires: c.Now()}, nil
	case "hangsup":
		ctx.Value(hangUp{}).(context.CancelFunc)()
	}
	return yes(ctx, c)
}

// hangUp is the key of the function that ends the request of a context.
type hangUp struct{}

// token returns a new token.
func (b *bench) token(kind string) middleware.Credential {
	b.tokens++
	return token(fmt.Sprintf("ey.%s.%d", kind, b.tokens))
}

// send validates n new tokens, one after the other.
func (b *bench) send(t *testing.T, n int, kind string) {
	for range n {
		cred := b.token(kind)
		if kind == "large" {
			cred.Secret += strings.Repeat("x", 8<<10+1-len(cred.Secret))
		}
		var wg sync.WaitGroup
		wg.Go(func() { // a goroutine of its own, which a validator may end
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			b.cache.Validate(context.WithValue(ctx, hangUp{}, cancel), cred)
		})
		wg.Wait()
	}
}

// atOnce returns how many of many new good tokens are checked at the same time.
func (b *bench) atOnce(t *testing.T) int {
	t.Helper()
	b.release = make(chan struct{})
	var wg sync.WaitGroup
	for range 8 {
		cred := b.token("slow")
		wg.Go(func() {
			if got := client(t, b.cache, cred); got != cred.Secret {
				t.Errorf("a good token: got %s", got)
			}
		})
	}
	synctest.Wait()
	running := int(b.running.Load())
	close(b.release)
	wg.Wait()
	return running
}

// TestFreshTokensUseEveryCore floods a cache with failures. From the hundredth within a
// second on, one core is kept free for a second.
func TestFreshTokensUseEveryCore(t *testing.T) {
	for _, cores := range []int{1, 2, 4} {
		t.Run(fmt.Sprint(cores), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				all, fewer := cores, max(1, cores-1)
				for i, step := range []struct {
					wait time.Duration
					n    int
					kind string
					want int
				}{
					{0, 200, "good", all}, {0, 99, "bad", all}, {0, 50, "good", all},
					{0, 1, "bad", fewer}, {0, 200, "good", fewer},
					{time.Second - 1, 0, "", fewer}, {1, 0, "", all},
					{0, 99, "bad", all}, {time.Second - 1, 1, "bad", fewer},

					// A further failure extends the second only if it is one of a hundred.
					{10 * time.Second, 100, "bad", fewer}, {time.Second / 2, 1, "bad", fewer},
					{time.Second - 1, 0, "", fewer}, {1, 0, "", all},
					{10 * time.Second, 100, "bad", fewer}, {time.Second - 1, 0, "", fewer}, {1, 1, "bad", all},
					{0, 99, "bad", fewer},

					{10 * time.Second, 99, "bad", all}, {900 * time.Millisecond, 1, "bad", fewer}, {600 * time.Millisecond, 1, "bad", fewer},
					{400*time.Millisecond - 1, 0, "", fewer}, {1, 0, "", all},

					// A hundred failures that are not within a second change nothing.
					{10 * time.Second, 99, "bad", all}, {time.Second, 1, "bad", all}, {0, 98, "bad", all}, {0, 1, "bad", fewer},
				} {
					time.Sleep(step.wait)
					synctest.Wait()
					b.send(t, step.n, step.kind)
					if got := b.atOnce(t); got != step.want {
						t.Errorf("step %d, %d %s tokens after %v: %d checks at once, want %d", i, step.n, step.kind, step.wait, got, step.want)
					}
				}
			})
		})
	}
}

// TestChecksThatFail tests which checks count as failed: those whose token is not both
// admitted and remembered.
func TestChecksThatFail(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for kind, want := range map[string]int{
		"good": 4, "bad": 3, "expired": 3, "broken": 3, "panics": 3, "exits": 3, "past": 3, "large": 3, "hangsup": 3,
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			b.send(t, 100, kind)
			if got := b.atOnce(t); got != want {
				t.Errorf("after 100 tokens of kind %s: %d checks at once, want %d", kind, got, want)
			}
		})
	}
}

// TestRememberedRefusalsAreNoChecks repeats one refused token, which is checked once.
func TestRememberedRefusalsAreNoChecks(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		cred := b.token("bad")
		for range 1000 {
			client(t, b.cache, cred)
		}
		if got := b.atOnce(t); got != 4 {
			t.Errorf("%d checks at once, want 4", got)
		}
	})
}

// TestKeptCoreIsNotForWaiters lets the hundredth check fail while others wait for its
// place. They get the place a second later.
func TestKeptCoreIsNotForWaiters(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.send(t, 99, "bad")
		fail, hold := make(chan struct{}), make(chan struct{})
		b.release = fail
		go client(t, b.cache, b.token("slowbad"))
		synctest.Wait()
		b.release = hold
		for range 4 {
			cred := b.token("slow")
			go client(t, b.cache, cred)
			synctest.Wait()
		}

		close(fail)
		for _, step := range []struct {
			wait time.Duration
			want int64
		}{{0, 1}, {time.Second - 1, 1}, {1, 2}} {
			time.Sleep(step.wait)
			synctest.Wait()
			if got := b.running.Load(); got != step.want {
				t.Errorf("%v later: %d checks at once, want %d", step.wait, got, step.want)
			}
		}
		close(hold)
		synctest.Wait()
	})
}
