package metrics_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/examples/metrics"
	"github.com/authtier/authtier/middleware"
)

// keys accepts one API key.
var keys = middleware.ValidatorFunc(func(_ context.Context, c middleware.Credential) (*middleware.Identity, error) {
	switch c.Secret {
	case "good":
		return &middleware.Identity{Issuer: "i", Client: "acme", APIKeyID: "k1"}, nil
	case "down":
		return nil, errorsx.Internal
	}
	return nil, errorsx.CredentialsIncorrect
})

func guarded(t testing.TB) http.Handler {
	t.Helper()
	guard := middleware.Tiers(middleware.TierTable{"/open/": middleware.Unguarded, "/keys/": middleware.APIKey(keys, nil)}, nil)
	quiet := middleware.Errors(&errorsx.Writer{Log: slog.New(slog.DiscardHandler)})
	return middleware.Chain(quiet, guard)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
}

// requests sends four requests: two admitted ones, a guess, and one that fails.
func requests(h http.Handler) {
	for _, r := range []struct{ path, key string }{{"/keys/x", "good"}, {"/open/x", ""}, {"/keys/x", "guess"}, {"/keys/x", "down"}} {
		req := httptest.NewRequest("GET", r.path, nil)
		if r.key != "" {
			req.Header.Set("X-API-KEY", r.key)
		}
		h.ServeHTTP(httptest.NewRecorder(), req)
	}
}

func TestPrometheus(t *testing.T) {
	reg := prometheus.NewRegistry()
	wrapper, err := metrics.Prometheus(reg)
	if err != nil {
		t.Fatal(err)
	}
	requests(wrapper(guarded(t)))

	w := httptest.NewRecorder()
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{
		`authtier_requests_total{code="",status="204",tier="/keys/"} 1`,
		`authtier_requests_total{code="",status="204",tier="/open/"} 1`,
		`authtier_requests_total{code="AUTH-1",status="401",tier="/keys/"} 1`,
		`authtier_requests_total{code="AUTH-8",status="500",tier="/keys/"} 1`,
		`authtier_request_duration_seconds_count{tier="/keys/"} 3`,
		`authtier_uncached_requests_total{tier="/keys/"} 1`,
	} {
		if !strings.Contains(w.Body.String(), want+"\n") {
			t.Errorf("no %s in\n%s", want, w.Body)
		}
	}
	if strings.Contains(w.Body.String(), "acme") {
		t.Errorf("a metric names the client:\n%s", w.Body)
	}
	if _, err := metrics.Prometheus(reg); err == nil {
		t.Error("registered twice: no error")
	}
}

func TestOpenTelemetry(t *testing.T) {
	reader := sdk.NewManualReader()
	provider := sdk.NewMeterProvider(sdk.WithReader(reader))
	wrapper, err := metrics.OpenTelemetry(provider.Meter("test"))
	if err != nil {
		t.Fatal(err)
	}
	requests(wrapper(guarded(t)))

	var collected metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &collected); err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, m := range collected.ScopeMetrics[0].Metrics {
		if sum, ok := m.Data.(metricdata.Sum[int64]); ok {
			for _, point := range sum.DataPoints {
				tier, _ := point.Attributes.Value(attribute.Key("authtier.tier"))
				code, _ := point.Attributes.Value(attribute.Key("error.type"))
				got[tier.AsString()+" "+code.AsString()] += point.Value
			}
		}
	}
	if got["/keys/ "] != 1 || got["/open/ "] != 1 || got["/keys/ AUTH-1"] != 1 || got["/keys/ AUTH-8"] != 1 || len(got) != 4 {
		t.Errorf("got %v", got)
	}
}

func TestAudit(t *testing.T) {
	var log bytes.Buffer
	requests(metrics.Audit(slog.New(slog.NewJSONHandler(&log, nil)))(guarded(t)))
	var lines []map[string]any
	for line := range strings.Lines(log.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, m)
	}
	if len(lines) != 4 || lines[0]["client"] != "acme" || lines[0]["api_key_id"] != "k1" || lines[0]["level"] != "INFO" ||
		lines[2]["code"] != "AUTH-1" || lines[2]["level"] != "WARN" || lines[3]["level"] != "ERROR" {
		t.Errorf("got %s", log.String())
	}
	if strings.Contains(log.String(), "guess") || strings.Contains(log.String(), "good") {
		t.Errorf("a key is logged: %s", log.String())
	}
}

// BenchmarkChain compares a cached chain without and with metrics.
func BenchmarkChain(b *testing.B) {
	cache, err := middleware.NewCache(tokens, 1000, &middleware.CacheConfig{TTL: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	guard := middleware.Chain(
		middleware.Tiers(middleware.TierTable{"/": middleware.Chain(middleware.APIKey(cache, nil), middleware.Bearer(cache, nil), middleware.Scope("read"))}, nil),
		middleware.Usage(noMeter{}, nil),
	)
	wrapper, err := metrics.Prometheus(prometheus.NewRegistry())
	if err != nil {
		b.Fatal(err)
	}
	end := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	for name, h := range map[string]http.Handler{"chain": guard(end), "observed": wrapper(guard(end))} {
		b.Run("with="+name, func(b *testing.B) {
			r := httptest.NewRequest("GET", "/x", nil)
			r.Header.Set("X-API-KEY", "key")
			r.Header.Set("Authorization", "Bearer token")
			w := httptest.NewRecorder()
			w.Body = nil
			b.ReportAllocs()
			for b.Loop() {
				clear(w.Header())
				h.ServeHTTP(w, r)
			}
			if w.Code != http.StatusNoContent {
				b.Fatal(w.Code)
			}
		})
	}
}

// noMeter counts into the void, as fast as a meter could.
type noMeter struct{}

func (noMeter) Counter(int, string, string) (func(int64) error, error) {
	var n atomic.Int64
	return func(by int64) error { n.Add(by); return nil }, nil
}

var tokens = middleware.ValidatorFunc(func(context.Context, middleware.Credential) (*middleware.Identity, error) {
	return &middleware.Identity{Issuer: "i", Client: "acme", Scopes: "read"}, nil
})
