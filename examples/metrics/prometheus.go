package metrics

import (
	"maps"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// Prometheus returns a wrapper that counts requests by tier, status and AUTH-n code, and
// measures how long they take by tier. It belongs outside of all other wrappers.
//
// No label names a client or a user: each would be a time series of its own, and the
// metrics would tell who uses the API. The usage report and the audit log are for that.
// An admitted request has the code "".
//
// It returns an error if reg has metrics of these names already.
func Prometheus(reg prometheus.Registerer) (middleware.Wrapper, error) {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "authtier_requests_total", Help: "Requests by tier, status and AUTH-n code.",
	}, []string{"tier", "status", "code"})
	durations := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "authtier_request_duration_seconds", Help: "Time from the arrival of a request to its end.",
		Buckets: prometheus.DefBuckets,
	}, []string{"tier"})
	misses := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "authtier_uncached_requests_total", Help: "Admitted or refused requests with a proven identity that no cache knew.",
	}, []string{"tier"})
	for _, c := range []prometheus.Collector{requests, durations, misses} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}

	// Finding a series by its labels takes longer than the checks of a cached request, so
	// the series of each kind of request are kept.
	var known atomic.Pointer[map[kind]series]
	known.Store(&map[kind]series{})
	var adding sync.Mutex
	add := func(k kind) series {
		adding.Lock()
		defer adding.Unlock()
		code := ""
		if k.code != 0 {
			code = k.code.String()
		}
		all := maps.Clone(*known.Load())
		all[k] = series{
			requests.WithLabelValues(k.tier, strconv.Itoa(k.status), code),
			durations.WithLabelValues(k.tier), misses.WithLabelValues(k.tier),
		}
		known.Store(&all)
		return all[k]
	}

	return middleware.Observe(func(_ *http.Request, d middleware.Decision) {
		k := kind{d.Tier, d.Status, d.Code()}
		s, ok := (*known.Load())[k]
		if !ok {
			s = add(k)
		}
		s.requests.Inc()
		s.duration.Observe(d.Duration.Seconds())
		if !d.Cached && d.Identity.Client+d.Identity.User != "" {
			s.misses.Inc()
		}
	}), nil
}

// A kind of request has one series of each metric. There are few: the tiers, statuses and
// codes of a program.
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
