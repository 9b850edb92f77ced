package middleware_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

const (
	crowdTokens  = 1000
	crowdClients = 50
)

// crowd is a validator that knows a token for each number below crowdTokens and a key
// for each client. Every second token has the form of a JWT. crowd is slow and does
// not always heed its context.
type crowd struct{ middleware.Sinks }

// tokenOf returns the token with that number, which belongs to client number %
// crowdClients.
func tokenOf(number int) string {
	if number%2 == 0 {
		return fmt.Sprintf("opaque-%d", number)
	}
	return fmt.Sprintf("head.payload-%d.signature-%d", number, number)
}

func (*crowd) Offline(c middleware.Credential) bool { return strings.Contains(c.Secret, ".") }

func (*crowd) Validate(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
	number, err := strconv.Atoi(c.Secret[strings.LastIndexByte(c.Secret, '-')+1:])
	if err != nil {
		return nil, errorsx.UnknownToken
	}
	if rand.IntN(4) == 0 {
		time.Sleep(time.Duration(rand.IntN(200)) * time.Microsecond)
		if err := ctx.Err(); err != nil && rand.IntN(2) == 0 {
			return nil, context.Cause(ctx)
		}
	}
	id := &middleware.Identity{Issuer: "i", Client: fmt.Sprint("client-", number%crowdClients)}
	if c.Scheme == middleware.SchemeAPIKey {
		id.Methods, id.APIKeyID = middleware.ByAPIKey, fmt.Sprint("k", number)
	} else {
		id.Methods, id.User, id.TokenID = middleware.ByToken, fmt.Sprint("user-", number), fmt.Sprint("t", number)
	}
	return id, nil
}

// TestC13EveryAnswerIsItsOwn lets 64 goroutines send a thousand tokens through a
// cache that is too small for them. They close connections at random and compare the
// identity that the handler saw with the token's. With AUTHTIER_LONG=1 the test takes
// a minute. C13
func TestC13EveryAnswerIsItsOwn(t *testing.T) {
	v := &crowd{}
	v.FreshUntil(time.Now().Add(24 * time.Hour))
	c := newCache(t, v, crowdTokens/2, middleware.CacheConfig{})
	h := middleware.Chain(
		middleware.Chain(middleware.Errors(silent), middleware.APIKey(c, nil)),
		middleware.Chain(middleware.Errors(silent), middleware.Bearer(c, nil)),
	)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := middleware.IdentityFromContext(r.Context())
		fmt.Fprint(w, id.Client, " ", id.User, " ", id.TokenID, " ", id.APIKeyID)
	}))
	span := time.Second
	if os.Getenv("AUTHTIER_LONG") == "1" { // tests may take minutes
		span = time.Minute
	}
	ctx, cancel := context.WithTimeout(t.Context(), span)
	defer cancel()
	var answered, hungUp atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if askFor(t, h, rand.IntN(crowdTokens)) {
					answered.Add(1)
				} else {
					hungUp.Add(1)
				}
			}
		})
	}
	wg.Go(func() {
		for ctx.Err() == nil {
			v.Forget(middleware.Revocation{TokenID: fmt.Sprint("t", rand.IntN(crowdTokens))})
			time.Sleep(time.Millisecond)
		}
	})
	wg.Wait()
	t.Logf("%d answers, %d requests hung up, %+v", answered.Load(), hungUp.Load(), c.Stats())
	if answered.Load() == 0 || hungUp.Load() == 0 {
		t.Errorf("%d answers and %d requests that hung up", answered.Load(), hungUp.Load())
	}
}

// askFor sends one token with its client's key, and closes the connection at random.
// It reports whether the handler answered. It fails if the identity was another
// client's.
func askFor(t *testing.T, h http.Handler, number int) bool {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if rand.IntN(4) == 0 {
		defer time.AfterFunc(time.Duration(rand.IntN(100))*time.Microsecond, cancel).Stop()
	}
	owner := number % crowdClients
	w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/", nil)
	r.Header.Set("X-API-KEY", fmt.Sprint("key-", owner))
	r.Header.Set("Authorization", "Bearer "+tokenOf(number))
	h.ServeHTTP(w, r)
	want := fmt.Sprintf("client-%d user-%d t%d k%d", owner, number, number, owner)
	switch {
	case w.Code == 200 && w.Body.String() != want:
		t.Errorf("token %d was answered as %q", number, w.Body)
	case w.Code != 200 && code(w) != "AUTH-8":
		t.Errorf("token %d was refused: %d %s", number, w.Code, w.Body)
	case w.Code != 200 && ctx.Err() == nil:
		t.Errorf("token %d failed, and nobody had hung up: %d %s", number, w.Code, w.Body)
	}
	return w.Code == 200
}
