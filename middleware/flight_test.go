package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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

func TestC09Flights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &oracle{answer: func(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
			time.Sleep(time.Second)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return yes(ctx, c)
		}}
		c := newCache(t, middleware.ValidatorFunc(o.Validate), 100, middleware.CacheConfig{})
		leader, hangUp := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := c.Validate(leader, token("x")); !errors.Is(err, context.Canceled) {
				t.Errorf("the leader that hung up: got %v", err)
			}
		})
		synctest.Wait()
		for range 100 {
			wg.Go(func() {
				if got := client(t, c, token("x")); got != "x" {
					t.Errorf("a waiter: got %s", got)
				}
			})
		}
		synctest.Wait()
		hangUp()
		wg.Wait()
		if o.asked.Load() != 1 {
			t.Errorf("asked %d times", o.asked.Load())
		}
	})
}

// TestC09Leaders ends the request that started a flight in several ways, while other
// requests wait for the same answer.
func TestC09Leaders(t *testing.T) {
	for name, begin := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		"hangs up": context.WithCancel,
		"has half a second": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 500*time.Millisecond)
		},
		"has gone before": func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx, cancel
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := &oracle{answer: func(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
				time.Sleep(time.Second)
				if ctx.Err() != nil {
					return nil, context.Cause(ctx)
				}
				return yes(ctx, c)
			}}
			c := newCache(t, middleware.ValidatorFunc(o.Validate), 100, middleware.CacheConfig{})
			ctx, leave := begin(t.Context())
			go c.Validate(ctx, token("x"))
			synctest.Wait()
			waiter := make(chan string, 1)
			go func() { waiter <- client(t, c, token("x")) }()
			synctest.Wait()
			leave()
			if got := <-waiter; got != "x" || o.asked.Load() != 1 {
				t.Errorf("C09 the first %s: another gets %s after %d questions, want x after one", name, got, o.asked.Load())
			}
		})
	}
}

// TestC12FlightsAreOfOneCredential validates credentials that look alike at the same
// time. None waits for the answer to another, or gets it.
func TestC12FlightsAreOfOneCredential(t *testing.T) {
	basic := func(user, secret string) middleware.Credential {
		return middleware.Credential{Scheme: middleware.SchemeBasic, Username: user, Secret: secret}
	}
	const hash = "$2a$10$abcdefghijklmnopqrstuv"
	for name, credentials := range map[string][]middleware.Credential{
		"unknown users beside a known one":     {basic("ada", "pw"), basic("nobody", "pw"), basic("noone", "pw"), basic("ADA", "pw")},
		"secrets beside each other":            {basic("ada", "pw"), basic("ada", "pw "), basic("ada", "PW"), basic("ada", "p")},
		"a stored hash as the secret":          {basic("ada", "pw"), basic("ada", hash), basic("ada", "pw"+hash), basic(hash, "pw")},
		"one string, cut elsewhere":            {basic("adap", "w"), basic("ada", "pw"), basic("a", "dapw"), basic("ada:p", "w")},
		"one secret in every scheme":           {token("pw"), {Scheme: middleware.SchemeAPIKey, Secret: "pw"}, basic("pw", "pw")},
		"long ones that end or begin the same": {basic("ada", strings.Repeat("x", 72)+"a"), basic("ada", strings.Repeat("x", 72)+"b"), basic(strings.Repeat("y", 60)+"a", "p"), basic(strings.Repeat("y", 60)+"b", "p")},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := &oracle{answer: func(_ context.Context, c middleware.Credential) (*middleware.Identity, error) {
				time.Sleep(time.Second)
				return &middleware.Identity{Client: string(c.Scheme) + "|" + c.Username + "|" + c.Secret}, nil
			}}
			c := newCache(t, middleware.ValidatorFunc(o.Validate), 100, middleware.CacheConfig{})
			var wg sync.WaitGroup
			for _, cred := range credentials {
				wg.Go(func() {
					want := string(cred.Scheme) + "|" + cred.Username + "|" + cred.Secret
					if got := client(t, c, cred); got != want {
						t.Errorf("C12 %s: %s was taken for %s", name, want, got)
					}
				})
			}
			synctest.Wait()
			if got := int(o.asked.Load()); got != len(credentials) {
				t.Errorf("C12 %s: %d validations under way for %d credentials", name, got, len(credentials))
			}
			wg.Wait()
		})
	}
}

func TestC11FlightsThatHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		o := &oracle{answer: func(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
			<-release // it ignores its context
			return yes(ctx, c)
		}}
		c := newCache(t, middleware.ValidatorFunc(o.Validate), 100, middleware.CacheConfig{})
		start := time.Now()
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Validate(impatient, token("x")); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("with a deadline of a second: got %v after %v", err, time.Since(start))
		}
		if got := client(t, c, token("x")); got != "AUTH-8" || time.Since(start) != 2*time.Second {
			t.Errorf("without: got %s after %v, want AUTH-8 after two seconds", got, time.Since(start))
		}
		go client(t, c, token("x"))
		synctest.Wait()
		if o.asked.Load() != 2 {
			t.Errorf("a flight that hangs was not left: asked %d times", o.asked.Load())
		}
		close(release)
		synctest.Wait()
		if got := client(t, c, token("x")); got != "x" {
			t.Errorf("afterwards: got %s", got)
		}
	})
}

func TestFlightsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &oracle{answer: func(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
			time.Sleep(time.Second)
			return yes(ctx, c)
		}}
		c := newCache(t, middleware.ValidatorFunc(o.Validate), 1000, middleware.CacheConfig{})
		var refused atomic.Int64
		var wg sync.WaitGroup
		for i := range 300 {
			wg.Go(func() {
				if client(t, c, token(fmt.Sprint(i))) == "AUTH-8" {
					refused.Add(1)
				}
			})
		}
		wg.Wait()
		if refused.Load() != 300-256 {
			t.Errorf("%d of 300 were refused, want 44", refused.Load())
		}
	})
}

// TestC10FlightsSurviveAborts tests that a flight recovers from http.ErrAbortHandler.
// No server recovers from it there.
func TestC10FlightsSurviveAborts(t *testing.T) {
	for name, end := range map[string]func(){
		"http.ErrAbortHandler": func() { panic(http.ErrAbortHandler) },
		"runtime.Goexit":       runtime.Goexit,
	} {
		v := middleware.ValidatorFunc(func(context.Context, middleware.Credential) (*middleware.Identity, error) {
			end()
			return nil, nil
		})
		if got := client(t, newCache(t, v, 100, middleware.CacheConfig{}), token("x")); got != "AUTH-8" {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

// TestLateAnswersAreNotRemembered lets a validator that ignores its context answer
// when no request waits any more.
func TestLateAnswersAreNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := true
		o := &oracle{answer: func(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
			if slow {
				slow = false
				time.Sleep(time.Hour)
				return yes(ctx, c)
			}
			return nil, errorsx.UnknownToken
		}}
		c := newCache(t, middleware.ValidatorFunc(o.Validate), 100, middleware.CacheConfig{})
		if got := client(t, c, token("x")); got != "AUTH-8" {
			t.Errorf("got %s", got)
		}
		time.Sleep(time.Hour + time.Second)
		if got := client(t, c, token("x")); got != "AUTH-12" {
			t.Errorf("after a late answer: got %s", got)
		}
	})
}

// TestChecksAreQueuedWithinBounds sends more tokens at once than may be checked and
// wait.
func TestChecksAreQueuedWithinBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		c := newCache(t, localFunc(func(context.Context, middleware.Credential) (*middleware.Identity, error) {
			<-release
			return nil, errorsx.BadSignature
		}), 100, middleware.CacheConfig{})
		const all = 1200
		answers := make(chan string, all)
		for i := range all {
			go func() { answers <- client(t, c, token(fmt.Sprint("ey.", i, ".x"))) }()
		}
		synctest.Wait()
		if got, want := len(answers), all-1024-runtime.GOMAXPROCS(0); got != want {
			t.Errorf("%d tokens are refused at once, want %d", got, want)
		}
		close(release)
		synctest.Wait()
		count := map[string]int{}
		for range len(answers) {
			count[<-answers]++
		}
		if count["AUTH-13"]+count["AUTH-10"] != all || count["AUTH-10"] < 1024 {
			t.Errorf("got %v, want some refused for the queue and the others for the signature", count)
		}
	})
}

func TestC10CachePanics(t *testing.T) {
	for name, fault := range map[string]func(){
		"a text":         func() { panic("s3cret") },
		"an error":       func() { panic(errorsx.UnknownToken) }, // a panic, even though its value is a refusal
		"an index":       func() { s := strings.Fields("a"); s[len(s)] = "b" },
		"nothing at all": func() { panic(nil) },
	} {
		broken := true
		o := &oracle{answer: func(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
			if broken {
				fault()
			}
			return yes(ctx, c)
		}}
		c := newCache(t, middleware.ValidatorFunc(o.Validate), 100, middleware.CacheConfig{})
		if got := client(t, c, token("x")); got != "AUTH-8" {
			t.Errorf("C10 a panic with %s: got %s", name, got)
		}
		broken = false
		if got := client(t, c, token("x")); got != "x" {
			t.Errorf("C10 after a panic with %s: got %s", name, got)
		}
	}
}

// TestC01RevokedWhileInFlight revokes while the validation is under way. The answer
// of that validation must be neither given nor remembered.
func TestC01RevokedWhileInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var revoked atomic.Bool
		o := newSource()
		o.answer = func(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
			// The store has been read, but the answer comes after the revocation.
			was := revoked.Load()
			time.Sleep(60 * time.Millisecond)
			if was {
				return nil, errorsx.UnknownToken
			}
			return yes(ctx, c)
		}
		c := newCache(t, o, 100, middleware.CacheConfig{})
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 10 * time.Millisecond)
				if got := client(t, c, token("x")); got != "AUTH-12" {
					t.Errorf("request %d: got %s, want the token refused", i, got)
				}
			})
		}
		time.Sleep(40 * time.Millisecond)
		revoked.Store(true)
		o.Forget(middleware.Revocation{TokenID: "id-x"})
		wg.Wait()
		if got := client(t, c, token("x")); got != "AUTH-12" {
			t.Errorf("afterwards: got %s", got)
		}
	})
}

// TestC01RevocationsAreNotLost revokes 50 tokens a second while validations take 60
// milliseconds. No token may be admitted after its revocation.
func TestC01RevocationsAreNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var revoked sync.Map
		o := newSource()
		o.answer = func(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
			_, was := revoked.Load(c.Secret)
			time.Sleep(60 * time.Millisecond)
			if was {
				return nil, errorsx.UnknownToken
			}
			return yes(ctx, c)
		}
		c := newCache(t, o, 1000, middleware.CacheConfig{TTL: 100 * time.Millisecond})
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				for i := w; ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					name := fmt.Sprint(i % 100)
					_, was := revoked.Load(name)
					if got := client(t, c, token(name)); was && got == name {
						t.Errorf("token %s was accepted after its revocation", name)
						return
					}
					time.Sleep(time.Millisecond)
				}
			})
		}
		for i := range 100 {
			time.Sleep(20 * time.Millisecond)
			revoked.Store(fmt.Sprint(i), true)
			o.Forget(middleware.Revocation{TokenID: fmt.Sprint("id-", i)})
			if got := client(t, c, token(fmt.Sprint(i))); got != "AUTH-12" {
				t.Errorf("token %d right after its revocation: got %s", i, got)
			}
		}
		close(stop)
		wg.Wait()
	})
}

// localFunc is a validator that is offline for every credential.
type localFunc middleware.ValidatorFunc

func (f localFunc) Offline(middleware.Credential) bool { return true }

func (f localFunc) Validate(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
	return f(ctx, c)
}
