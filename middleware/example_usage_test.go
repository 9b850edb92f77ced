package middleware_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"

	"github.com/authtier/authtier/middleware"
)

// demoMeter counts in memory. The package store/meter counts for a bill.
type demoMeter struct {
	mu   sync.Mutex
	uses map[string]int64 // by client
}

// Counter implements [middleware.Meter].
func (m *demoMeter) Counter(day int, issuer, client string) (add func(n int64) error, err error) {
	return func(n int64) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.uses[client] += n
		return nil
	}, nil
}

// Usage counts what the wrappers around it admit, and nothing else.
func ExampleUsage() {
	tiles := &demoMeter{uses: map[string]int64{}}
	guard := middleware.Chain(middleware.APIKey(demoSecrets, nil), middleware.Usage(tiles, nil))

	for _, key := range []string{"acme-secret", "guess", "acme-secret"} {
		_, err := middleware.Check(demoRequest("X-API-KEY", key), guard)
		fmt.Println(tiles.uses["acme"], err)
	}
	// Output:
	// 1 <nil>
	// 1 AUTH-1: The credentials provided are incorrect
	// 2 <nil>
}

// A failed request is free of charge for the clients of this program.
func ExampleUsageConfig_countStatus() {
	tiles := &demoMeter{uses: map[string]int64{}}
	usage := middleware.Usage(tiles, &middleware.UsageConfig{
		CountStatus: func(status int) bool { return status < 400 },
	})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /tiles/7", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "tile 7") })
	h := middleware.Chain(middleware.APIKey(demoSecrets, nil), usage)(mux)

	for _, path := range []string{"/tiles/7", "/tiles/8"} {
		r, w := demoRequest("X-API-KEY", "acme-secret"), httptest.NewRecorder()
		r.URL.Path = path
		h.ServeHTTP(w, r)
		fmt.Println(path, w.Code, tiles.uses["acme"])
	}
	// Output:
	// /tiles/7 200 1
	// /tiles/8 404 1
}

// The client pays for each record of a report, beside the request itself.
func ExampleAddUsage() {
	records := &demoMeter{uses: map[string]int64{}}
	reports := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := middleware.AddUsage(r.Context(), 20); err != nil {
			fmt.Println(err)
		}
	})
	key, usage := middleware.APIKey(demoSecrets, nil), middleware.Usage(records, nil)

	r, w := demoRequest("X-API-KEY", "acme-secret"), httptest.NewRecorder()
	key(usage(reports)).ServeHTTP(w, r)
	fmt.Println(records.uses["acme"])

	key(reports).ServeHTTP(w, r) // without Usage, this is an error
	fmt.Println(records.uses["acme"])
	// Output:
	// 21
	// middleware: AddUsage: no Usage wrapper counts this request
	// 21
}
