package middleware_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/throttle"
)

// confirms is a Confirm that accepts every request.
func confirms(*http.Request, middleware.Identity) error { return nil }

// keysAlone validates API keys alone.
var keysAlone = middleware.ByScheme{middleware.SchemeAPIKey: people}

// says reports whether text begins with the constructor's name and contains all wants.
func says(text, constructor string, wants ...string) bool {
	for _, want := range wants {
		if !strings.Contains(text, want) {
			return false
		}
	}
	return strings.HasPrefix(text, "middleware: "+constructor+": ")
}

// TestWiringPanics calls each constructor with arguments that are written in code. The
// panic must name the constructor and all faults.
func TestWiringPanics(t *testing.T) {
	var (
		noCache   *middleware.Cache
		noChoice  middleware.ByScheme
		noFunc    middleware.ValidatorFunc
		noMeter   *tally
		noHandler http.HandlerFunc
		noMux     *http.ServeMux
		noAPIKey  *middleware.APIKeyConfig
		noBearer  *middleware.BearerConfig
	)
	prefix := netip.MustParsePrefix
	cachedKeys := newCache(t, keysAlone, 16, middleware.CacheConfig{TTL: time.Minute})
	swallows := func(http.Handler) http.Handler { return nil }
	bothFaults := &errorsx.Writer{ResourceMetadata: "ftp://a.example/a b"}

	for _, tt := range []struct {
		name        string
		constructor string
		wire        func()
		wants       []string
	}{
		{"nothing", "APIKey", func() { middleware.APIKey(nil, nil) }, []string{"nil Validator"}},
		{"everything", "APIKey", func() { middleware.APIKey(nil, &middleware.APIKeyConfig{Header: "X Y"}) },
			[]string{"nil Validator", `Header: "X Y"`}},
		{"the host", "APIKey", func() { middleware.APIKey(people, &middleware.APIKeyConfig{Header: "host"}) }, []string{`Header: "host"`}},
		{"a line break", "APIKey", func() { middleware.APIKey(people, &middleware.APIKeyConfig{Header: "X-Key\n"}) }, []string{"Header: "}},
		{"a colon", "APIKey", func() { middleware.APIKey(people, &middleware.APIKeyConfig{Header: "X-Key:"}) }, []string{"Header: "}},
		{"a blank", "APIKey", func() { middleware.APIKey(people, &middleware.APIKeyConfig{Header: " "}) }, []string{"Header: "}},
		{"not ASCII", "APIKey", func() { middleware.APIKey(people, &middleware.APIKeyConfig{Header: "X-Schlüssel"}) }, []string{"Header: "}},
		{"an empty choice", "APIKey", func() { middleware.APIKey(middleware.ByScheme{}, nil) }, []string{"an empty ByScheme"}},
		{"a nil choice", "APIKey", func() { middleware.APIKey(noChoice, nil) }, []string{"nil Validator"}},
		{"a zero cache", "APIKey", func() { middleware.APIKey(&middleware.Cache{}, nil) }, []string{"nil Validator"}},

		{"nothing", "Basic", func() { middleware.Basic(nil, nil) }, []string{"nil Validator"}},
		{"everything", "Basic", func() { middleware.Basic(noFunc, &middleware.BasicConfig{Header: "Ä"}) }, []string{"nil Validator", `Header: "Ä"`}},
		{"of other schemes", "Basic", func() { middleware.Basic(keysAlone, nil) }, []string{"no validator for the scheme Basic"}},
		{"throttled, of other schemes", "Basic", func() { middleware.Basic(new(throttle.Throttle).Around(keysAlone), nil) }, []string{"no validator for the scheme Basic"}},

		{"nothing", "Bearer", func() { middleware.Bearer(nil, nil) }, []string{"nil Validator"}},
		{"everything", "Bearer", func() {
			middleware.Bearer(noCache, &middleware.BearerConfig{
				Header: "a,b", Vary: "c d", Audience: "e f", QuerySafe: []string{"", "g h"}, RequireUser: true, AllowAnonymous: true,
			})
		}, []string{"nil Validator", `Header: "a,b"`, `Vary: "c d"`, `Audience is one audience, and "e f"`, `QuerySafe: "" is`, `QuerySafe: "g h" is`,
			"RequireUser and AllowAnonymous", "Confirm is nil"}},
		{"no query", "Bearer", func() { middleware.Bearer(people, &middleware.BearerConfig{QuerySafe: []string{}}) }, []string{"QuerySafe is empty"}},
		{"a small limit", "Bearer", func() { middleware.Bearer(people, &middleware.BearerConfig{MaxTokenBytes: 100}) }, []string{"MaxTokenBytes is 100"}},
		{"a large limit", "Bearer", func() { middleware.Bearer(people, &middleware.BearerConfig{MaxTokenBytes: 1 << 20}) }, []string{"MaxTokenBytes is 1048576"}},
		{"a line's end", "Bearer", func() { middleware.Bearer(people, &middleware.BearerConfig{Audience: "api\n"}) }, []string{"Audience"}},
		{"what confirms is lost", "Bearer", func() { middleware.Bearer(people, &middleware.BearerConfig{Vary: "Cookie"}) }, []string{"Vary", "Confirm is nil"}},
		{"a choice of nothing", "Bearer", func() { middleware.Bearer(middleware.ByScheme{middleware.SchemeBearer: noCache}, nil) },
			[]string{`nil Validator for the scheme "Bearer"`}},
		{"a choice of two", "Bearer", func() {
			middleware.Bearer(middleware.ByScheme{middleware.SchemeBearer: nil, middleware.SchemeAPIKey: noFunc}, nil)
		}, []string{`nil Validator for the scheme "Bearer"`, `nil Validator for the scheme "ApiKey"`}},
		{"of other schemes", "Bearer", func() { middleware.Bearer(keysAlone, nil) }, []string{"no validator for the scheme Bearer"}},
		{"of other schemes, cached", "Bearer", func() { middleware.Bearer(cachedKeys, nil) }, []string{"no validator for the scheme Bearer"}},
		{"of other schemes, deeper", "Bearer", func() {
			middleware.Bearer(middleware.ByScheme{middleware.SchemeBearer: cachedKeys}, nil)
		}, []string{"no validator for the scheme Bearer"}},
		{"itself", "Bearer", func() { middleware.Bearer(endless{}, nil) }, []string{"or itself"}},

		{"nothing", "OneOf", func() { middleware.OneOf(nil) }, []string{"nil Validator", "no way given"}},
		{"everything", "OneOf", func() {
			middleware.OneOf(noCache, nil, noBearer, noAPIKey, middleware.APIKeyConfig{Header: "x y"}, middleware.BearerConfig{Audience: "a b"},
				middleware.BearerConfig{AllowAnonymous: true})
		}, []string{"nil Validator", "way 1 is nil", "way 2 is nil", "way 3 is nil", `way 4, APIKey: Header: "x y"`, "way 5, Bearer: the Audience",
			"way 6, Bearer: an earlier way reads the same Authorization header", "AllowAnonymous is set for some ways"}},
		{"one header twice", "OneOf", func() {
			middleware.OneOf(people, middleware.APIKeyConfig{Header: "x-token"}, middleware.BasicConfig{}, middleware.BearerConfig{Header: "X-TOKEN"})
		}, []string{"way 3, Bearer: an earlier way reads the same X-Token header"}},
		{"of other schemes", "OneOf", func() {
			middleware.OneOf(keysAlone, middleware.APIKeyConfig{}, middleware.BearerConfig{}, middleware.BasicConfig{})
		}, []string{"the scheme Bearer", "the scheme Basic"}},

		{"nothing", "Scope", func() { middleware.Scope() }, []string{"no scope"}},
		{"everything", "Scope", func() { middleware.Scope("", " ", "a b", "good", "ä", "a\n") },
			[]string{`"" is not`, `" " is not`, `"a b" is not`, `"ä" is not`, `"a\n" is not`}},
		{"nothing", "AllScopes", func() { middleware.AllScopes() }, []string{"no scope"}},
		{"everything", "AllScopes", func() { middleware.AllScopes("a", "", " ", `"`) }, []string{`"" is not`, `" " is not`, `"\"" is not`}},

		{"nothing", "Chain", func() { middleware.Chain() }, []string{"no wrapper"}},
		{"nil wrappers", "Chain", func() { middleware.Chain(nil, key, nil) }, []string{"wrapper 1 is nil", "wrapper 3 is nil"}},
		{"a wrapper that returns nothing", "Chain", func() { middleware.Chain(key, swallows)(whoami) }, []string{"wrapper 2 returned a nil Handler"}},
		{"nothing inside", "Chain", func() { middleware.Chain(key)(nil) }, []string{"nil Handler"}},

		{"nothing", "Tiers", func() { middleware.Tiers(nil, nil) }, []string{"no tier"}},
		{"everything", "Tiers", func() { middleware.Tiers(middleware.TierTable{"": nil, "/a": key, "/{b}/": nil, "/c/": nil}, nil) },
			[]string{`prefix "": a prefix begins`, `prefix "": nil Wrapper`, `prefix "/a":`, `prefix "/{b}/": nil Wrapper`, "pattern", `prefix "/c/": nil Wrapper`}},
		{"wrappers that return nothing", "Tiers", func() {
			middleware.Tiers(middleware.TierTable{"/a/": swallows, "/b/": key, "/c/": swallows}, nil)(whoami)
		}, []string{`prefix "/a/": the Wrapper returned a nil Handler`, `prefix "/c/": the Wrapper`}},
		{"nothing", "Unguarded", func() { middleware.Unguarded(nil) }, []string{"nil Handler"}},

		{"everything", "Proxy", func() {
			middleware.Proxy(&middleware.ProxyConfig{
				Trusted: []netip.Prefix{{}, prefix("10.0.0.1/8"), prefix("::/0"), prefix("::ffff:10.0.0.0/104")}, Header: "X-Real-IP",
			})
		}, []string{"Trusted has invalid Prefix", "Trusted has 10.0.0.1/8", "Trusted has ::/0", "Trusted has ::ffff:10.0.0.0/104", `Header is "X-Real-IP"`}},

		{"nothing", "Usage", func() { middleware.Usage(nil, nil) }, []string{"nil Meter"}},
		{"a nil pointer", "Usage", func() { middleware.Usage(noMeter, nil) }, []string{"nil Meter"}},
		{"nothing", "Observe", func() { middleware.Observe(nil) }, []string{"nil func"}},
		{"nothing", "Errors", func() { middleware.Errors(nil) }, []string{"nil Writer"}},
		{"everything", "Errors", func() { middleware.Errors(bothFaults) }, []string{"ResourceMetadata: expected an absolute", "must escape"}},

		{"everything", "Around", func() { middleware.Around(nil, nil) }, []string{"nil Validator", "nil func"}},
		{"a nil cache", "Around", func() { middleware.Around(noCache, pass) }, []string{"nil Validator"}},
		{"nothing", "APIKeyFunc", func() { middleware.APIKeyFunc(nil) }, []string{"nil func"}},

		// A handler that would panic at the first request.
		{"no function", "APIKey", func() { key(noHandler) }, []string{"nil Handler"}},
		{"no mux", "Bearer", func() { bearer(noMux) }, []string{"nil Handler"}},
		{"no function", "OneOf", func() { middleware.OneOf(people, middleware.BearerConfig{})(noHandler) }, []string{"nil Handler"}},
		{"no function", "Scope", func() { middleware.Scope("a")(noHandler) }, []string{"nil Handler"}},
		{"no function", "AllScopes", func() { middleware.AllScopes("a")(noHandler) }, []string{"nil Handler"}},
		{"no function", "Tiers", func() { middleware.Tiers(middleware.TierTable{"/": key}, nil)(noHandler) }, []string{"nil Handler"}},
		{"no function", "Proxy", func() { middleware.Proxy(nil)(noHandler) }, []string{"nil Handler"}},
		{"no function", "Usage", func() { middleware.Usage(&tally{}, nil)(noHandler) }, []string{"nil Handler"}},
		{"no function", "Observe", func() { middleware.Observe(func(*http.Request, middleware.Decision) {})(noHandler) }, []string{"nil Handler"}},
		{"no function", "Errors", func() { middleware.Errors(silent)(noHandler) }, []string{"nil Handler"}},
	} {
		if text := panicOf(tt.wire); !says(text, tt.constructor, tt.wants...) {
			t.Errorf("%s of %s: got the panic %q, want one that names the constructor and %q", tt.constructor, tt.name, text, tt.wants)
		}
	}
}

// TestWiringAccepts calls the constructors with the least that is documented to do.
func TestWiringAccepts(t *testing.T) {
	alone := middleware.Around(keysAlone, func(ctx context.Context, c middleware.Credential, next middleware.Validator) (*middleware.Identity, error) {
		if c.Scheme == middleware.SchemeBearer {
			return people.Validate(ctx, c)
		}
		return next.Validate(ctx, c)
	})
	for name, wire := range map[string]func(){
		"no configuration": func() {
			middleware.Chain(middleware.APIKey(people, nil), middleware.Basic(people, nil), middleware.Bearer(people, nil), middleware.Proxy(nil),
				middleware.Usage(&tally{}, nil), middleware.Tiers(middleware.TierTable{"/": key}, nil))(whoami)
		},
		"empty ones": func() {
			middleware.Chain(middleware.APIKey(people, &middleware.APIKeyConfig{}), middleware.Basic(people, &middleware.BasicConfig{}),
				middleware.Bearer(people, &middleware.BearerConfig{}), middleware.Proxy(&middleware.ProxyConfig{}), middleware.Errors(&errorsx.Writer{}),
				middleware.Usage(&tally{}, &middleware.UsageConfig{}))(whoami)
		},
		"pointers as ways":                  func() { middleware.OneOf(people, &middleware.BearerConfig{}, &middleware.APIKeyConfig{}) },
		"a decorator that knows a scheme":   func() { middleware.Bearer(alone, nil) },
		"a choice that lacks other schemes": func() { middleware.APIKey(keysAlone, nil) },
	} {
		if text := panicOf(wire); text != "" {
			t.Errorf("%s: got the panic %q", name, text)
		}
	}
}

// TestNewCacheErrors makes caches with invalid arguments. The error must name all of
// them.
func TestNewCacheErrors(t *testing.T) {
	var noCache *middleware.Cache
	v := middleware.ValidatorFunc(yes)
	cached := newCache(t, v, 16, middleware.CacheConfig{TTL: time.Minute})
	for name, tt := range map[string]struct {
		v     middleware.Validator
		size  int
		cfg   *middleware.CacheConfig
		wants []string
	}{
		"everything":           {nil, 0, &middleware.CacheConfig{TTL: -1}, []string{"nil Validator", "size is 0", "TTL is -1ns"}},
		"a nil cache":          {noCache, -1, nil, []string{"nil Validator", "size is -1"}},
		"a zero cache":         {&middleware.Cache{}, 1, nil, []string{"nil Validator"}},
		"a huge size":          {v, 1<<30 + 1, &middleware.CacheConfig{TTL: time.Minute}, []string{"size is 1073741825"}},
		"no unit":              {v, 1, &middleware.CacheConfig{TTL: 300}, []string{"TTL is 300ns"}},
		"a week":               {v, 1, &middleware.CacheConfig{TTL: 7 * 24 * time.Hour}, []string{"TTL is 168h"}},
		"no source":            {v, 0, nil, []string{"no TTL", "size is 0"}},
		"an empty choice":      {middleware.ByScheme{}, 1, &middleware.CacheConfig{TTL: time.Minute}, []string{"an empty ByScheme"}},
		"a choice of nothing":  {middleware.ByScheme{middleware.SchemeBearer: nil}, 0, nil, []string{`nil Validator for the scheme "Bearer"`, "size is 0"}},
		"a cache in a cache":   {cached, 0, &middleware.CacheConfig{TTL: time.Hour * 25}, []string{"already contains a Cache", "size is 0", "TTL is 25h"}},
		"nothing in a wrapper": {hollow{}, 1, &middleware.CacheConfig{TTL: time.Minute}, []string{"nil Validator"}},
	} {
		c, err := middleware.NewCache(tt.v, tt.size, tt.cfg)
		if err == nil || c != nil || !says(err.Error(), "NewCache", tt.wants...) {
			t.Errorf("%s: got %v, %v, want an error that says %q", name, c, err, tt.wants)
		}
	}
}

// A hollow validator wraps nothing.
type hollow struct{ middleware.ValidatorFunc }

func (hollow) Unwrap() middleware.Validator { return (*middleware.Cache)(nil) }

// TestCheckWithoutAWrapper passes nil to Check, which serves requests and so must not
// panic.
func TestCheckWithoutAWrapper(t *testing.T) {
	id, err := middleware.Check(httptest.NewRequest("GET", "/", nil), nil)
	if !errors.Is(err, errorsx.Internal) || id.Client != "" || id.User != "" {
		t.Errorf("got %+v, %v, want AUTH-8", id, err)
	}
}

// TestUsageKeepsItsConfig changes a configuration after Usage has read it. The request
// must be counted as before.
func TestUsageKeepsItsConfig(t *testing.T) {
	m, cfg := &tally{}, &middleware.UsageConfig{CountStatus: func(status int) bool { return status == 200 }}
	h := middleware.Chain(bearer, middleware.Usage(m, cfg))(whoami)
	cfg.CountStatus = nil
	if w := serve(h, "GET", "/", tokenAda); w.Code != 200 || m.sum() != 1 {
		t.Errorf("got %d and %d uses, want 200 and one", w.Code, m.sum())
	}
}
