package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// report requests the usage of the days around today, so that midnight makes no
// difference.
func report(w *wire, as option, api string) *answer {
	w.t.Helper()
	return w.do("GET", "/partner/usages?api_name="+url.QueryEscape(api)+"&start_date="+utcDay(-1)+"&end_date="+utcDay(1), as)
}

// A usageReport is the whole answer.
type usageReport struct {
	API     string `json:"api"`
	Start   string `json:"start_date"`
	End     string `json:"end_date"`
	Clients []struct {
		Client   string `json:"client_id"`
		Products []struct {
			Product    string `json:"product"`
			Label      string `json:"label"`
			Quantities int64  `json:"quantities"`
		} `json:"products"`
	} `json:"clients"`
}

func readReport(t *testing.T, a *answer) usageReport {
	t.Helper()
	var r usageReport
	d := json.NewDecoder(strings.NewReader(a.body))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil || a.status != 200 {
		t.Fatalf("%v: %d %s", err, a.status, a.body)
	}
	if !slices.Equal(members(a), []string{"api", "clients", "end_date", "start_date"}) {
		t.Errorf("members of %s", a.body)
	}
	return r
}

func clientsOf(t *testing.T, a *answer) []string {
	t.Helper()
	var ids []string
	for _, c := range readReport(t, a).Clients {
		ids = append(ids, c.Client)
	}
	return ids
}

// quantityOf returns the quantity of the demo's one product in the report.
func quantityOf(t *testing.T, a *answer, client string) int64 {
	t.Helper()
	for _, c := range readReport(t, a).Clients {
		if c.Client != client {
			continue
		}
		if len(c.Products) != 1 || c.Products[0].Product != "access" || c.Products[0].Label != "api onboarding access" {
			t.Fatalf("products of %s: %+v", client, c.Products)
		}
		return c.Products[0].Quantities
	}
	return 0
}

func TestU04ConcurrentUsesAreCountedExactly(t *testing.T) {
	w := startDemo(t)
	const uses = 400
	token := minted(t, w, asPartner, `{"scopes":["onboarding"]}`).text("access_token")
	auth := func(n int) (id, secret string) {
		switch n % 8 {
		case 0, 1, 2:
			return "other-partner", "other-partner-secret"
		case 3, 4:
			return "demo-partner", token
		}
		return "demo-partner", "demo-partner-secret"
	}
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 50, MaxIdleConnsPerHost: 50}}
	defer client.CloseIdleConnections()
	bodies := make([]string, uses)
	var wg sync.WaitGroup
	for n := range uses {
		wg.Go(func() {
			r, _ := http.NewRequest("GET", w.url+"/partner/onboarding", nil)
			r.SetBasicAuth(auth(n))
			if resp, err := client.Do(r); err == nil {
				bodies[n] = read(t, resp).body
			}
		})
	}
	wg.Wait()
	a := report(w, asPartner, "onboarding")
	for n, body := range bodies {
		if body != "pong" {
			t.Fatalf("request %d: %q", n, body)
		}
	}
	if got := clientsOf(t, a); !slices.Equal(got, []string{"demo-partner", "other-partner"}) {
		t.Errorf("clients %q", got)
	}
	if got := quantityOf(t, a, "other-partner"); got != 150 {
		t.Errorf("other-partner: %d, want 150", got)
	}
	if got := quantityOf(t, a, "demo-partner"); got != 250 {
		t.Errorf("demo-partner: %d, want 250", got)
	}
	own := report(w, asOther, "onboarding")
	if got := clientsOf(t, own); !slices.Equal(got, []string{"other-partner"}) || quantityOf(t, own, "other-partner") != 150 { // U05
		t.Errorf("without usage:read: %s", own.body)
	}
}

func TestU06RefusedRequestsAreNotCounted(t *testing.T) {
	w := startDemo(t)
	unscoped := minted(t, w, asPartner, `{"scopes":["usage:read"]}`)
	others := minted(t, w, asOther, `{}`)
	for name, refused := range map[string]*answer{ // U06
		"nobody":                w.do("GET", "/partner/onboarding"),
		"wrong secret":          w.do("GET", "/partner/onboarding", basic("demo-partner", "x")),
		"unknown client":        w.do("GET", "/partner/onboarding", basic("nobody", "x")),
		"another's token":       w.do("GET", "/partner/onboarding", byToken("demo-partner", others)),
		"token without scope":   w.do("GET", "/partner/onboarding", byToken("demo-partner", unscoped)),
		"another method":        w.do("POST", "/partner/onboarding", asPartner),
		"two headers":           w.do("GET", "/partner/onboarding", asPartner, asPartner),
		"another scheme":        w.do("GET", "/partner/onboarding", bearer(others.text("access_token"))),
		"another path":          w.do("GET", "/partner/onboarding/", asPartner),
		"another system's user": w.do("GET", "/partner/onboarding", basic("demo", "demo-password")),
	} {
		if refused.status < 400 {
			t.Errorf("%s: got %d", name, refused.status)
		}
	}
	w.do("GET", "/partner/", asPartner).want(t, 200, "")
	w.do("GET", "/ext/ping", asPartner).want(t, 200, "")
	a := report(w, asPartner, "onboarding")
	if !strings.Contains(a.body, `"clients":[]`) {
		t.Errorf("got %s", a.body)
	}
	for n := range int64(3) {
		w.do("GET", "/partner/onboarding", asPartner).want(t, 200, "")
		if got := quantityOf(t, report(w, asPartner, "onboarding"), "demo-partner"); got != n+1 {
			t.Errorf("%d uses: %d counted", n+1, got)
		}
	}
}

func TestUsagesTellsTheDaysAskedFor(t *testing.T) {
	w := startDemo(t)
	w.do("GET", "/partner/onboarding", asPartner).want(t, 200, "")
	ask := func(api, start, end string) *answer {
		return w.do("GET", "/partner/usages?api_name="+url.QueryEscape(api)+"&start_date="+start+"&end_date="+end, asPartner)
	}
	for _, tt := range []struct {
		name, api, start, end string
		uses                  int64
	}{
		{"around today", "onboarding", utcDay(-1), utcDay(1), 1},
		{"ends soon", "onboarding", utcDay(-300), utcDay(1), 1},
		{"began just now", "onboarding", utcDay(-1), utcDay(300), 1},
		{"ended before", "onboarding", utcDay(-300), utcDay(-2), 0},
		{"begins later", "onboarding", utcDay(2), utcDay(2), 0},
		{"another api", "nothing", utcDay(-1), utcDay(1), 0},
		{"api in other case", "Onboarding", utcDay(-1), utcDay(1), 0},
		{"api with SQL U01", "onboarding' OR 1=1--", utcDay(-1), utcDay(1), 0},
		{"api with wildcards U01", "%", utcDay(-1), utcDay(1), 0},
		{"api with one wildcard U01", "onboardin_", utcDay(-1), utcDay(1), 0},
		{"api in UTF-8 U01", "é", utcDay(-1), utcDay(1), 0},
		{"leap day", "onboarding", "2024-02-29", "2024-02-29", 0},
		{"366 days", "onboarding", "2024-01-01", "2024-12-31", 0},
		{"366 days without a leap day", "onboarding", "2025-01-01", "2026-01-01", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := ask(tt.api, tt.start, tt.end)
			r := readReport(t, a)
			if r.API != tt.api || r.Start != tt.start || r.End != tt.end {
				t.Errorf("got %s", a.body)
			}
			if tt.uses == 0 && !strings.Contains(a.body, `"clients":[]`) || quantityOf(t, a, "demo-partner") != tt.uses {
				t.Errorf("got %s, want %d uses", a.body, tt.uses)
			}
			if a.header.Get("Content-Type") != "application/json" {
				t.Errorf("Content-Type is %q", a.header.Get("Content-Type"))
			}
		})
	}
}

func TestUsagesRefusesItsParameters(t *testing.T) {
	w := sharedDemo(t)
	const right = "api_name=onboarding&start_date=2025-01-01&end_date=2025-01-31"
	w.do("GET", "/partner/usages?"+right, asOther).want(t, 200, "")
	type refusal struct{ query, names string }
	refusals := []refusal{
		{"", "api_name"},
		{"start_date=2025-01-01&end_date=2025-01-31", "api_name"},
		{"api_name=onboarding&end_date=2025-01-31", "start_date"},
		{"api_name=onboarding&start_date=2025-01-01", "end_date"},
		{"api_name=&start_date=2025-01-01&end_date=2025-01-31", "api_name"},
		{"api_name=onboarding&start_date=&end_date=2025-01-31", "start_date"},
		{"api_name=onboarding&start_date=2025-01-01&end_date=", "end_date"},
		{right + "&api_name=onboarding", "api_name"},
		{right + "&start_date=2025-01-01", "start_date"},
		{right + "&end_date=2025-01-31", "end_date"},
		{right + "&x=%zz", ""},
		{right + ";x", ""},
		{"api_name=onboarding&start_date=2025-01-02&end_date=2025-01-01", "end_date"},
		{"api_name=onboarding&start_date=2024-01-01&end_date=2025-01-01", "end_date"}, // 367 days
		{"api_name=onboarding&start_date=2025-01-01&end_date=2026-01-02", "end_date"},
		{"api_name=onboarding&start_date=1925-01-01&end_date=2025-01-01", "end_date"},
	}
	for _, day := range []string{
		"2025-02-29", "2025-02-30", "2025-04-31", "2025-13-01", "2025-00-10", "2025-01-00", "2025-01-32", "2100-02-29",
		"2025-1-1", "2025-01-1", "25-01-01", "20250101", "2025/01/01", "01-01-2025", "2025-01", "2025-01-01T00:00:00Z", "2025-01-01+14:00",
		" 2025-01-01", "2025-01-01 ", "+2025-01-01", "-2025-01-01", "12025-01-01", "9999999-01-01", "-1", "now", "x", "٢٠٢٥-01-01", "2025-01-01\x00",
	} {
		refusals = append(refusals,
			refusal{"api_name=onboarding&end_date=2025-01-31&start_date=" + url.QueryEscape(day), "start_date"},
			refusal{"api_name=onboarding&start_date=2025-01-01&end_date=" + url.QueryEscape(day), "end_date"})
	}
	for _, tt := range refusals {
		t.Run(tt.query+" U02", func(t *testing.T) {
			a := w.do("GET", "/partner/usages?"+tt.query, asPartner)
			a.wantOAuth(t, 422, "AUTH-6", "invalid_request")
			if !strings.Contains(a.text("message"), tt.names) {
				t.Errorf("message %q does not name %s", a.text("message"), tt.names)
			}
		})
	}
}

func TestReportIncludesWhatWasAdmittedBefore(t *testing.T) {
	w := startDemo(t)
	began := time.Now()
	for n := range int64(100) {
		as, id := asPartner, "demo-partner"
		if n%2 == 1 {
			as, id = asOther, "other-partner"
		}
		w.do("GET", "/partner/onboarding", as).want(t, 200, "")
		if got := quantityOf(t, report(w, asPartner, "onboarding"), id); got != n/2+1 {
			t.Fatalf("%s after %v: %d, want %d", id, time.Since(began), got, n/2+1)
		}
	}
}

// TestU03OneProduct sends many different requests. All count for the configured product,
// whose name takes nothing from the request.
func TestU03OneProduct(t *testing.T) {
	w := startDemo(t)
	for n := range 60 {
		id := fmt.Sprint(n)
		w.do("GET", "/partner/onboarding?api_name="+id+"&product="+id, asPartner,
			header("User-Agent", "agent "+id), header("X-Product", id), header("X-Forwarded-For", "192.0.2."+id)).want(t, 200, "")
		w.do("GET", "/partner/onboarding/"+id, asPartner).want(t, 404, "AUTH-6")
		w.do("VERB"+id, "/partner/onboarding", asPartner).want(t, 405, "AUTH-6")
		w.do("GET", "/partner/onboarding", basic("client"+id, "x")).want(t, 401, "AUTH-1")
	}
	a := report(w, asPartner, "onboarding")
	got := readReport(t, a)
	if len(got.Clients) != 1 || len(got.Clients[0].Products) != 1 || quantityOf(t, a, "demo-partner") != 60 {
		t.Errorf("U03 got %s, want one product of one client, sixty times", a.body)
	}
	if other := report(w, asPartner, "7"); !strings.Contains(other.body, `"clients":[]`) {
		t.Errorf("U03 an api that a query named: %s", other.body)
	}
}
