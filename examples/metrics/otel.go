package metrics

import (
	"errors"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/authtier/authtier/middleware"
)

// OpenTelemetry returns a wrapper that counts requests and measures how long they take,
// by the semantic conventions of HTTP servers where these have a name. It belongs
// outside of all other wrappers. No attribute names a client or a user.
//
// It returns an error if meter cannot make an instrument.
func OpenTelemetry(meter metric.Meter) (middleware.Wrapper, error) {
	requests, err1 := meter.Int64Counter("authtier.requests", metric.WithUnit("{request}"),
		metric.WithDescription("Requests by tier, status and AUTH-n code."))
	durations, err2 := meter.Float64Histogram("authtier.request.duration", metric.WithUnit("s"),
		metric.WithDescription("Time from the arrival of a request to its end."))
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}

	return middleware.Observe(func(r *http.Request, d middleware.Decision) {
		attributes := []attribute.KeyValue{
			attribute.String("authtier.tier", d.Tier), attribute.Int("http.response.status_code", d.Status),
		}
		if !d.Admitted() {
			attributes = append(attributes, attribute.String("error.type", d.Code().String()))
		}
		set := metric.WithAttributeSet(attribute.NewSet(attributes...))
		requests.Add(r.Context(), 1, set)
		durations.Record(r.Context(), d.Duration.Seconds(), set)
	}), nil
}
