package serve

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store/meter"
)

// openMetrics listens for requests for the metrics, if an address is set.
func (t *site) openMetrics(ctx context.Context, cmd *cobra.Command) (err error) {
	if t.metricsAddr == "" {
		return nil
	}
	if t.observed, err = listenOn(ctx, cli.Place(cmd, "metrics-addr"), t.metricsAddr, true); err != nil {
		return err
	}
	t.onClose(func() error { t.observed.Close(); return nil })
	t.metrics = prometheus.NewRegistry()
	return errors.Join(
		t.metrics.Register(collectors.NewGoCollector()),
		t.metrics.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})),
		t.metrics.Register(usageCollector{func() meter.Stats { return t.usage.Stats() }}),
	)
}

// serveMetrics serves the metrics until the site is closed.
func (t *site) serveMetrics() {
	if t.metrics == nil {
		return
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(t.metrics, promhttp.HandlerOpts{}))
	server := newServer(errorsx.Mux(mux), t.log)
	go server.Serve(t.observed)
	t.onClose(server.Close)
	t.log.Info("metrics on http://" + t.observed.Addr().String() + "/metrics")
}

// observe returns a wrapper that counts requests by tier, status and AUTH-n code, and
// measures how long they take by tier. No label names a client or a user.
func observe(reg prometheus.Registerer) (middleware.Wrapper, error) {
	c := &counts{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "authtier_requests_total", Help: "Requests by tier, status and AUTH-n code. The code of an admitted request is empty.",
		}, []string{"tier", "status", "code"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "authtier_request_duration_seconds", Help: "Time from the arrival of a request to its end.",
			Buckets: prometheus.DefBuckets,
		}, []string{"tier"}),
		misses: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "authtier_uncached_requests_total", Help: "Requests with a proven identity that no cache knew.",
		}, []string{"tier"}),
	}
	c.known.Store(&map[kind]series{})
	if err := errors.Join(reg.Register(c.requests), reg.Register(c.durations), reg.Register(c.misses)); err != nil {
		return nil, err
	}
	return middleware.Observe(c.count), nil
}

// counts has the metrics of all requests.
type counts struct {
	requests, misses *prometheus.CounterVec
	durations        *prometheus.HistogramVec

	// Finding a series by its labels takes longer than checking a cached request, so the
	// series of each kind of request are kept.
	known  atomic.Pointer[map[kind]series]
	adding sync.Mutex
}

// A kind of request has one series of each metric. There are few kinds.
type kind struct {
	tier   string
	status int
	code   errorsx.Code
}

type series struct {
	requests prometheus.Counter
	duration prometheus.Observer
	misses   prometheus.Counter
}

func (c *counts) count(_ *http.Request, d middleware.Decision) {
	k := kind{d.Tier, d.Status, d.Code()}
	s, ok := (*c.known.Load())[k]
	if !ok {
		s = c.add(k)
	}
	s.requests.Inc()
	s.duration.Observe(d.Duration.Seconds())
	if !d.Cached && d.Identity.Client+d.Identity.User != "" {
		s.misses.Inc()
	}
}

// add makes the series of a kind.
func (c *counts) add(k kind) series {
	c.adding.Lock()
	defer c.adding.Unlock()
	code := ""
	if k.code != 0 {
		code = k.code.String()
	}
	all := maps.Clone(*c.known.Load())
	all[k] = series{
		c.requests.WithLabelValues(k.tier, strconv.Itoa(k.status), code),
		c.durations.WithLabelValues(k.tier), c.misses.WithLabelValues(k.tier),
	}
	c.known.Store(&all)
	return all[k]
}

// A usageCollector collects the state of the meter.
type usageCollector struct{ stats func() meter.Stats }

var usageGauges = []struct {
	desc  *prometheus.Desc
	value func(meter.Stats) float64
}{
	gauge("counters", "Counters that can be added to.", func(s meter.Stats) float64 { return float64(s.Counters) }),
	gauge("unflushed_counters", "Counters whose total the store has not acknowledged.", func(s meter.Stats) float64 { return float64(s.Unflushed) }),
	gauge("oldest_unflushed_seconds", "Age of the oldest count that the store has not acknowledged.", func(s meter.Stats) float64 { return s.Oldest.Seconds() }),
	gauge("leftover_files", "Files of ended processes that could not be recorded yet.", func(s meter.Stats) float64 { return float64(s.Leftovers) }),
	gauge("unreadable_files", "Files that cannot be read, or only in part.", func(s meter.Stats) float64 { return float64(len(s.Asides)) }),
	gauge("journal_bytes", "Size of the files in which this process counts.", func(s meter.Stats) float64 { return float64(s.Bytes) }),
}

func gauge(name, help string, value func(meter.Stats) float64) (g struct {
	desc  *prometheus.Desc
	value func(meter.Stats) float64
}) {
	g.desc, g.value = prometheus.NewDesc("authtier_usage_"+name, help, nil, nil), value
	return g
}

// Describe implements [prometheus.Collector].
func (usageCollector) Describe(descs chan<- *prometheus.Desc) {
	for _, g := range usageGauges {
		descs <- g.desc
	}
}

// Collect implements [prometheus.Collector].
func (c usageCollector) Collect(metrics chan<- prometheus.Metric) {
	s := c.stats()
	for _, g := range usageGauges {
		metrics <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, g.value(s))
	}
}
