package main

import (
	"fmt"
	"strings"
	"testing"
)

// TestDemoThrottles makes a thousand wrong guesses, which the demo allows in a minute,
// and then one too many.
func TestDemoThrottles(t *testing.T) {
	t.Parallel()
	w := startDemo(t)
	for n := range 1000 {
		if a := w.do("GET", "/partner/", basic("demo-partner", fmt.Sprint("guess", n))); a.status != 401 || a.text("code") != "AUTH-1" {
			t.Fatalf("guess %d: got %d %s", n, a.status, a.body)
		}
	}
	if a := w.do("GET", "/partner/", basic("demo-partner", "demo-partner-secret")); a.status != 200 {
		t.Fatalf("the right secret after 1000 wrong ones: got %d %s", a.status, a.body)
	}
	var a *answer
	for n := range 5000 { // some failures expire meanwhile
		if a = w.do("GET", "/partner/", basic("demo-partner", fmt.Sprint("again", n))); a.status == 429 {
			break
		}
	}
	if a.text("code") != "AUTH-13" || a.text("error") != "temporarily_unavailable" || a.header.Get("Retry-After") != "1" ||
		!strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Basic ") || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("after 1001 wrong secrets: got %d %v %s", a.status, a.header, a.body)
	}
	if a := w.do("GET", "/partner/", basic("other-partner", "other-partner-secret")); a.status != 200 {
		t.Errorf("another account: got %d %s", a.status, a.body)
	}
	if a := w.do("GET", "/api/login", asDemoUser); a.status != 200 {
		t.Errorf("another system: got %d %s", a.status, a.body)
	}
}
