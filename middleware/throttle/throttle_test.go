package throttle_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/throttle"
)

// passwords is a validator of the client app, whose password is "pass". The passwords
// "expired", "revoked" and "down" fail in ways that are not a wrong password.
func passwords(_ context.Context, c middleware.Credential) (*middleware.Identity, error) {
	switch {
	case c.Secret == "expired":
		return nil, errorsx.TokenExpired
	case c.Secret == "revoked":
		return nil, errorsx.UnknownToken
	case c.Secret == "down":
		return nil, errors.New("the store is down")
	case c.Username != "app" || c.Secret != "pass":
		return nil, errorsx.CredentialsIncorrect
	}
	return &middleware.Identity{Issuer: "i", Client: "app", Methods: middleware.ByBasic}, nil
}

// quiet answers refusals and logs nothing.
var quiet = &errorsx.Writer{Log: slog.New(slog.DiscardHandler)}

// admitted is the handler behind the throttle.
var admitted = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

// code returns the code of an answer, or "" if it has none.
func code(w *httptest.ResponseRecorder) string {
	var b struct{ Code string }
	json.Unmarshal(w.Body.Bytes(), &b)
	return b.Code
}

// heap returns the size of all live objects.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // frees the contents of pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// newCache returns a cache around v.
func newCache(t testing.TB, v middleware.Validator) *middleware.Cache {
	t.Helper()
	c, err := middleware.NewCache(v, 1000, &middleware.CacheConfig{TTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newThrottle(t testing.TB, cfg throttle.Config) *throttle.Throttle {
	t.Helper()
	tt, err := throttle.New(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	return tt
}

// A knocker tries passwords at a throttled server.
type knocker struct {
	t      testing.TB
	server func(*httptest.ResponseRecorder, string, string, string, []string)
}

// unixSocket is the RemoteAddr of a client that connects over a Unix socket.
const unixSocket = "@"

func newKnocker(t testing.TB, cfg throttle.Config, proxies ...netip.Prefix) knocker {
	cache := newCache(t, middleware.ValidatorFunc(passwords))
	h := middleware.Chain(
		middleware.Proxy(&middleware.ProxyConfig{Trusted: proxies}),
		middleware.Chain(middleware.Errors(quiet), middleware.Basic(newThrottle(t, cfg).Around(cache), nil)),
	)(admitted)
	return knocker{t, func(w *httptest.ResponseRecorder, from, user, password string, lines []string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = from
		if from == unixSocket {
			r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.UnixAddr{Name: "s", Net: "unix"}))
		}
		r.SetBasicAuth(user, password)
		for _, line := range lines {
			name, value, _ := strings.Cut(line, ": ")
			r.Header.Add(name, value)
		}
		h.ServeHTTP(w, r)
	}}
}

// try returns the code of the answer, or "" if the request was admitted.
func (k knocker) try(from, user, password string, lines ...string) string {
	w := httptest.NewRecorder()
	k.server(w, from, user, password, lines)
	if w.Code == 200 {
		return ""
	}
	return code(w)
}

func (k knocker) want(want, from, user, password string, lines ...string) {
	k.t.Helper()
	if got := k.try(from, user, password, lines...); got != want {
		k.t.Errorf("%s with %q from %s %q: got %q, want %q", user, password, from, lines, got, want)
	}
}

// fail tries n wrong passwords. Each must be answered as wrong.
func (k knocker) fail(n int, from, user string) {
	k.t.Helper()
	for i := range n {
		k.want("AUTH-1", from, user, fmt.Sprint("guess", i))
	}
}

const here, there = "192.0.2.1:1000", "192.0.2.2:1000"

func TestThrottleBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKnocker(t, throttle.Config{Failures: 3})
		// The cache remembers the right password.
		k.want("", here, "app", "pass")
		k.fail(4, here, "app")
		for _, block := range []int{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900} {
			for _, password := range []string{"guess", "another", "pass", "expired"} {
				w := httptest.NewRecorder()
				k.server(w, here, "app", password, nil)
				if w.Code != 429 || code(w) != "AUTH-13" || w.Header().Get("Retry-After") != fmt.Sprint(block) ||
					!strings.HasPrefix(w.Header().Get("Www-Authenticate"), "Basic ") {
					t.Errorf("blocked for %d s, with %q: got %d %v %s", block, password, w.Code, w.Header(), w.Body)
				}
			}
			// Another account and another address are not blocked.
			k.want("AUTH-1", here, "other", "guess")
			k.want("", there, "app", "pass")
			time.Sleep(time.Duration(block) * time.Second)
			k.want("AUTH-1", here, "app", "still wrong")
		}
		time.Sleep(15 * time.Minute)
		k.want("", here, "app", "pass")
		k.want("AUTH-1", here, "app", "wrong again")
		k.want("AUTH-13", here, "app", "pass")
		time.Sleep(30*time.Minute + time.Second)

		// All failures are forgotten by now.
		k.fail(4, here, "app")
		k.want("AUTH-13", here, "app", "pass")
	})
}

func TestThrottleForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKnocker(t, throttle.Config{Failures: 3, Window: time.Minute})
		k.fail(3, here, "app")
		// Three failures in a minute are allowed.
		for range 50 {
			time.Sleep(20 * time.Second)
			k.want("", here, "app", "pass")
			k.fail(1, here, "app")
		}
		// A right password in between makes no difference.
		k.fail(1, here, "app")
		k.want("AUTH-13", here, "app", "pass")
		k.fail(4, here, "other")
		time.Sleep(81 * time.Second)
		k.fail(4, here, "other")
	})
}

// TestThrottleIsFairToBursts has 999 failures at the end of one minute and 999 at the
// beginning of the next one. 1000 in a minute are allowed.
func TestThrottleIsFairToBursts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKnocker(t, throttle.Config{Failures: 1000, Window: time.Minute})
		for range 20 {
			k.fail(999, here, "app")
			time.Sleep(time.Minute)
		}
		k.want("", here, "app", "pass")
	})
}

// TestThrottleCountsFailuresAlone tests that only a wrong password counts as a
// failure.
func TestThrottleCountsFailuresAlone(t *testing.T) {
	k := newKnocker(t, throttle.Config{Failures: 1})
	for password, want := range map[string]string{"expired": "AUTH-11", "revoked": "AUTH-12", "down": "AUTH-8", "pass": ""} {
		for range 20 {
			k.want(want, here, "app", password)
		}
	}
}

// TestB04 spells one account, and one address, in several ways.
func TestB04(t *testing.T) {
	for _, name := range []string{"APP", "App", " app", "app ", "\u00a0app"} {
		k := newKnocker(t, throttle.Config{Failures: 2})
		k.fail(3, here, name)
		k.want("AUTH-13", here, "app", "pass")
	}
	aliases := newKnocker(t, throttle.Config{Failures: 2, Canonical: func(name string) string {
		name, _, _ = strings.Cut(name, "+")
		return name
	}})
	aliases.fail(3, here, "app+alias")
	aliases.want("AUTH-13", here, "app", "pass")

	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, tt := range []struct {
		name        string
		first, then []string // address and header lines
		trusted     []netip.Prefix
		same        bool
	}{
		{"no trusted proxy", []string{here, "X-Forwarded-For: 1.1.1.1"}, []string{here, "X-Forwarded-For: 2.2.2.2"}, nil, true},
		{"other headers", []string{here, "X-Real-Ip: 1.1.1.1", "True-Client-Ip: 1.1.1.1", "Forwarded: for=1.1.1.1"}, []string{here}, proxies, true},
		{"a stranger's header", []string{here, "X-Forwarded-For: 1.1.1.1"}, []string{here}, proxies, true},
		{"a proxy's header", []string{"10.0.0.1:1", "X-Forwarded-For: 1.1.1.1"}, []string{"10.0.0.1:1", "X-Forwarded-For: 2.2.2.2"}, proxies, false},
		{"what the client put before", []string{"10.0.0.1:1", "X-Forwarded-For: 3.3.3.3, 1.1.1.1"}, []string{"10.0.0.2:1", "X-Forwarded-For: 4.4.4.4", "X-Forwarded-For: 1.1.1.1"}, proxies, true},
		{"two proxies", []string{"10.0.0.1:1", "X-Forwarded-For: 1.1.1.1, 10.0.0.9"}, []string{"[fd00::1]:1", "X-Forwarded-For: 9.9.9.9, 1.1.1.1:555 , [fd00::2]:80"}, proxies, true},
		{"no address", []string{"10.0.0.1:1", "X-Forwarded-For: 1.1.1.1, unknown"}, []string{"10.0.0.1:1", "X-Forwarded-For: 2.2.2.2, _hidden"}, proxies, true},
		{"many hops", []string{"10.0.0.1:1", "X-Forwarded-For: 1.1.1.1" + strings.Repeat(",10.0.0.1", 5000)}, []string{"10.0.0.1:1"}, proxies, false},
		{"one IPv6 network", []string{"[2001:db8::1]:1"}, []string{"[2001:db8::ffff:1:2:3]:1"}, nil, true},
		{"another IPv6 network", []string{"[2001:db8::1]:1"}, []string{"[2001:db8:0:1::1]:1"}, nil, false},
		{"IPv4 as IPv6", []string{here}, []string{"[::ffff:192.0.2.1]:1"}, nil, true},
		{"a zone", []string{"[fe80::1%eth0]:1"}, []string{"[fe80::1%eth1]:1"}, nil, true},
		{"a Unix socket", []string{unixSocket, "X-Forwarded-For: 1.1.1.1"}, []string{unixSocket, "X-Forwarded-For: 2.2.2.2"}, nil, true},
		{"a Unix socket behind a proxy", []string{unixSocket, "X-Forwarded-For: 1.1.1.1"}, []string{unixSocket, "X-Forwarded-For: 2.2.2.2"}, proxies, false},
		{"no Unix socket", []string{"@pipe", "X-Forwarded-For: 1.1.1.1"}, []string{"", "X-Forwarded-For: 2.2.2.2"}, proxies, true},
		{"a bare address", []string{"10.0.0.1", "X-Forwarded-For: 1.1.1.1"}, []string{"10.0.0.2", "X-Forwarded-For: 2.2.2.2"}, proxies, false},
	} {
		k := newKnocker(t, throttle.Config{Failures: 2}, tt.trusted...)
		for i := range 3 {
			k.try(tt.first[0], "app", fmt.Sprint("guess", i), tt.first[1:]...)
		}
		want := ""
		if tt.same {
			want = "AUTH-13"
		}
		if got := k.try(tt.then[0], "app", "pass", tt.then[1:]...); got != want {
			t.Errorf("%s: got %q, want %q", tt.name, got, want)
		}
	}
}

// TestB06 has a stranger who tries to lock a victim out.
func TestB06(t *testing.T) {
	k := newKnocker(t, throttle.Config{})
	for n := range 250 * 11 {
		k.try(fmt.Sprintf("203.0.113.%d:1", n%250), "app", fmt.Sprint("guess", n))
	}
	k.want("AUTH-13", "203.0.113.7:1", "app", "pass")
	k.want("", here, "app", "pass")
	k.fail(1, there, "app")
	k.want("", there, "app", "pass")
}

// TestB07 floods the throttle with names. Existing blocks must stay, and other
// clients must not be affected.
func TestB07(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := newThrottle(t, throttle.Config{})
		begin := func(user, from string) (*throttle.Attempt, error) {
			return limit.Begin(middleware.Credential{Scheme: middleware.SchemeBasic, Username: user}.WithAddr(netip.MustParseAddr(from)))
		}
		fail := func(user, from string) {
			if attempt, err := begin(user, from); err == nil {
				attempt.End(errorsx.CredentialsIncorrect)
			}
		}
		blocked := func(user, from string) bool {
			attempt, err := begin(user, from)
			attempt.End(nil)
			return err != nil
		}
		for range 11 {
			fail("victim", "192.0.2.1")
			fail("victim", "192.0.2.2")
		}
		names := 100_000
		if os.Getenv("AUTHTIER_LONG") == "1" {
			names = 1_000_000
		}
		before := heap()
		for n := range names {
			fail(fmt.Sprint("name", n), "192.0.2.1")
		}
		for _, tt := range []struct {
			user, from string
			want       bool
		}{
			{"victim", "192.0.2.1", true}, {"victim", "192.0.2.2", true}, {"victim", "192.0.2.3", false},
			{"name5", "192.0.2.1", false}, {fmt.Sprint("name", names-1), "192.0.2.1", true}, {"never seen", "192.0.2.1", true},
			{"never seen", "192.0.2.2", false},
		} {
			if got := blocked(tt.user, tt.from); got != tt.want {
				t.Errorf("%s from %s: blocked %t, want %t", tt.user, tt.from, got, tt.want)
			}
		}
		for n := range names {
			fail("one name", netip.AddrFrom4([4]byte{byte(20 + n>>16), 51, byte(n >> 8), byte(n)}).String())
		}
		if !blocked("victim", "192.0.2.1") {
			t.Error("after failures from very many addresses: what was blocked is not any more")
		}
		if grown := heap() - before; grown > 24<<20 {
			t.Errorf("after %d failures: %d MiB more than before", 2*names, grown>>20)
		}
		runtime.KeepAlive(limit)
	})
}

// TestB07ActiveAttack sends many other names between any two guesses.
func TestB07ActiveAttack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKnocker(t, throttle.Config{Failures: 5})
		guesses := 0
		for n := range 5_000 {
			k.try(here, fmt.Sprint("name", n), "x")
			if n%50 == 0 && k.try(here, "app", fmt.Sprint("guess", n)) == "AUTH-1" {
				guesses++
			}
		}
		if guesses != 6 {
			t.Errorf("%d guesses at one account, want 6", guesses)
		}
	})
}

// TestThrottleConcurrently lets many clients guess while one sends the right
// password.
func TestThrottleConcurrently(t *testing.T) {
	k := newKnocker(t, throttle.Config{})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for n := range 200 {
				if got := k.try(here, "app", fmt.Sprint("guess", g, n)); got != "AUTH-1" && got != "AUTH-13" {
					t.Errorf("a guess: got %q", got)
				}
				k.want("", there, "app", "pass")
			}
		})
	}
	wg.Wait()
	k.want("AUTH-13", here, "app", "pass")
}

// TestThrottleAliases sends the right password of a name that is similar to the
// victim's, between guesses of the victim's password.
func TestThrottleAliases(t *testing.T) {
	v := middleware.ValidatorFunc(func(_ context.Context, c middleware.Credential) (*middleware.Identity, error) {
		if c.Username+c.Secret != "App"+"own" {
			return nil, errorsx.CredentialsIncorrect
		}
		return &middleware.Identity{Client: "App"}, nil
	})
	guard := newThrottle(t, throttle.Config{Failures: 3}).Around(v)
	guesses := 0
	for n := range 100 {
		for _, c := range []middleware.Credential{
			{Scheme: middleware.SchemeBasic, Username: "app", Secret: fmt.Sprint("guess", n)},
			{Scheme: middleware.SchemeBasic, Username: "App", Secret: "own"},
		} {
			if _, err := guard.Validate(t.Context(), c.WithAddr(netip.MustParseAddr("192.0.2.1"))); errors.Is(err, errorsx.CredentialsIncorrect) {
				guesses++
			}
		}
	}
	if guesses != 4 {
		t.Errorf("%d guesses, want 4", guesses)
	}
}

// TestThrottleHangingUp guesses and closes the connection before the answer. The
// failures must count all the same.
func TestThrottleHangingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := middleware.ValidatorFunc(func(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
			time.Sleep(100 * time.Millisecond)
			return passwords(ctx, c)
		})
		h := middleware.Chain(middleware.Errors(quiet), middleware.Basic(newThrottle(t, throttle.Config{Failures: 3}).Around(newCache(t, slow)), nil))(admitted)
		counts := map[string]int{}
		for n := range 40 {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
			r := httptest.NewRequestWithContext(ctx, "GET", "/", nil)
			r.SetBasicAuth("app", fmt.Sprint("guess", n))
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			cancel()
			counts[code(w)]++
		}
		if counts["AUTH-1"] != 4 || counts["AUTH-13"] != 36 {
			t.Errorf("got %v", counts)
		}
	})
}

// TestThrottleBursts guesses with many requests at once, several times.
func TestThrottleBursts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := middleware.ValidatorFunc(func(ctx context.Context, c middleware.Credential) (*middleware.Identity, error) {
			time.Sleep(50 * time.Millisecond)
			return passwords(ctx, c)
		})
		guard := newThrottle(t, throttle.Config{Failures: 5}).Around(slow)
		var tried []int64
		for range 8 {
			var n atomic.Int64
			var wg sync.WaitGroup
			for g := range 100 {
				wg.Go(func() {
					c := middleware.Credential{Scheme: middleware.SchemeBasic, Username: "app", Secret: fmt.Sprint("guess", g)}
					if _, err := guard.Validate(t.Context(), c.WithAddr(netip.MustParseAddr("192.0.2.1"))); errors.Is(err, errorsx.CredentialsIncorrect) {
						n.Add(1)
					}
				})
			}
			wg.Wait()
			tried = append(tried, n.Load())
			time.Sleep(15 * time.Minute)
		}
		if want := []int64{100, 1, 1, 1, 1, 1, 1, 1}; !slices.Equal(tried, want) {
			t.Errorf("tried in each burst: %v, want %v", tried, want)
		}
	})
}

// TestThrottleForgetsNames fills an address's share with failing names, and waits
// until they are forgotten.
func TestThrottleForgetsNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKnocker(t, throttle.Config{Failures: 3, Window: time.Minute})
		for n := range 300 {
			k.try(here, fmt.Sprint("name", n), "x")
		}
		// The account app now counts as one of the others.
		k.want("AUTH-13", here, "app", "pass")
		time.Sleep(20 * time.Minute)
		k.fail(4, here, "one of them")
		k.want("AUTH-13", here, "one of them", "x")
		k.want("", here, "app", "pass")
		k.fail(4, here, "app")
	})
}

func TestNewThrottleRefuses(t *testing.T) {
	for _, cfg := range []throttle.Config{
		{Failures: -1}, {Window: -time.Second},
	} {
		if throttle, err := throttle.New(&cfg); err == nil || throttle != nil {
			t.Errorf("%+v: got %v, %v, want an error", cfg, throttle, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("Around(nil): no panic")
		}
	}()
	newThrottle(t, throttle.Config{}).Around(nil)
}
