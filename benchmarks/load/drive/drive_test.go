package drive

import (
	"context"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestBuckets(t *testing.T) {
	last := -1
	for n := range uint64(1 << 16) {
		b := bucket(n)
		if b != last && b != last+1 {
			t.Fatalf("%d is in bucket %d, after %d", n, b, last)
		}
		last = b
		if off := math.Abs(float64(middle(b)) - float64(n)); off > float64(n)/32 {
			t.Fatalf("bucket %d of %d stands for %d", b, n, middle(b))
		}
	}
	if b := bucket(math.MaxInt64); b >= buckets {
		t.Errorf("the longest duration is in bucket %d of %d", b, buckets)
	}
}

func TestQuantile(t *testing.T) {
	h := &Histogram{}
	if h.Quantile(0.5) != 0 {
		t.Error("an empty histogram has a median")
	}
	for i := range 1000 {
		h.add(time.Duration(i+1) * time.Microsecond)
	}
	for q, want := range map[float64]time.Duration{0: 1000, 0.5: 500_000, 0.99: 990_000, 1: 1_000_000} {
		if got := h.Quantile(q); math.Abs(float64(got-want)) > float64(want)/32 {
			t.Errorf("quantile %v: got %v, want about %v", q, got, want)
		}
	}
}

// TestRun sends each request on one connection alone, in turn.
func TestRun(t *testing.T) {
	var mu sync.Mutex
	from := map[string]map[string]bool{} // connections by path
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if from[r.URL.Path] == nil {
			from[r.URL.Path] = map[string]bool{}
		}
		from[r.URL.Path][r.RemoteAddr] = true
		if r.Header.Get("X-A") != "b" {
			w.WriteHeader(404)
		}
		io.WriteString(w, "hello")
	}))
	defer server.Close()
	requests := [][]byte{Get("/0", "X-A", "b"), Get("/1"), Get("/2", "X-A", "b"), Get("/3", "X-A", "b")}
	result := Run(t.Context(), server.Listener.Addr().String(), requests, 2, 100*time.Millisecond)
	good, bad, all := result.Status(200).Count(), result.Status(404).Count(), result.All().Count()
	if result.Err != nil || good == 0 || bad == 0 || good+bad != all || result.PerSecond() <= 0 {
		t.Errorf("got %d and %d of %d answers, error %v", good, bad, all, result.Err)
	}
	mu.Lock()
	defer mu.Unlock()
	for path, conns := range from {
		if len(conns) != 1 {
			t.Errorf("%s was sent on %d connections", path, len(conns))
		}
	}
	if len(from) != len(requests) {
		t.Errorf("%d of %d requests were sent", len(from), len(requests))
	}
}

func TestRunReportsFaults(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush() // chunked
	}))
	defer server.Close()
	addr := server.Listener.Addr().String()
	if err := Run(t.Context(), addr, [][]byte{Get("/")}, 1, time.Minute).Err; err == nil || !strings.Contains(err.Error(), "Content-Length") {
		t.Errorf("a chunked answer: got %v", err)
	}
	if err := Run(t.Context(), addr, nil, 1, time.Minute).Err; err == nil {
		t.Error("no requests: no error")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if result := Run(ended, addr, [][]byte{Get("/")}, 1, time.Minute); result.All().Count() != 0 {
		t.Error("requests were sent after the context's end")
	}
}
