package partner_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/issuer/partner"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

// reporter records the query, and returns rows or an error.
type reporter struct {
	asked store.Query
	rows  []store.Row
	err   error
	late  error // returned among the rows

	complete time.Time
}

func (r *reporter) Report(_ context.Context, q store.Query) (*store.Report, error) {
	r.asked = q
	return store.NewReport(func(yield func(store.Row, error) bool) {
		for _, row := range r.rows {
			if !yield(row, nil) {
				return
			}
		}
		if r.late != nil {
			yield(store.Row{}, r.late)
		}
	}, r.complete), r.err
}

func newPartner(t testing.TB, u partner.Reporter) (*issuer.Issuer, *partner.Partner, http.Handler) {
	t.Helper()
	return newPartnerOf(t, u, issuer.Config{})
}

func newPartnerOf(t testing.TB, u partner.Reporter, cfg issuer.Config) (*issuer.Issuer, *partner.Partner, http.Handler) {
	t.Helper()
	db := memory.New()
	for _, id := range []string{"acme", "other"} {
		err := db.CreateClient(t.Context(), store.Client{
			ID: id, Secrets: []store.Secret{{ID: "s1", Digest: store.DigestOf(id + "-secret")}}, Scopes: []string{"x", "y"}, Default: []string{"x"},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	cfg.AllowEphemeralKeys = true
	iss, err := issuer.New(t.Context(), "https://id.example", db, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	go iss.Run(t.Context()) // otherwise its caches answer for half a minute only
	p, err := partner.New(iss, u, nil)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	p.Register(mux)
	return iss, p, middleware.Errors(&errorsx.Writer{Log: slog.New(slog.DiscardHandler)})(mux)
}

func call(h http.Handler, method, target, secret, body string) *httptest.ResponseRecorder {
	r, w := httptest.NewRequest(method, target, strings.NewReader(body)), httptest.NewRecorder()
	r.SetBasicAuth("acme", secret)
	h.ServeHTTP(w, r)
	return w
}

func field(t testing.TB, w *httptest.ResponseRecorder, name string) any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil {
		t.Fatalf("got %d %q: %v", w.Code, w.Body, err)
	}
	return m[name]
}

// TestTokenAsPassword uses a token as the password, from its creation to its end.
func TestTokenAsPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss, _, h := newPartner(t, &reporter{})
		mint := func(secret, body string) string {
			t.Helper()
			w := call(h, "POST", "/partner/tokens", secret, body)
			if w.Code != 201 {
				t.Fatalf("minting: got %d %s", w.Code, w.Body)
			}
			return field(t, w, "access_token").(string)
		}
		who := func(secret string) any {
			t.Helper()
			if w := call(h, "GET", "/partner/", secret, ""); w.Code != 200 {
				return field(t, w, "code")
			}
			return nil
		}
		first := mint("acme-secret", `{"expires_in":600}`)
		child := mint(first, `{"scopes":["y"],"expires_in":600}`)
		grandchild := mint(child, `{}`)
		stranger, err := iss.Mint(t.Context(), issuer.Grant{Client: "other"})
		if err != nil {
			t.Fatal(err)
		}
		for secret, want := range map[string]any{
			first: nil, child: nil, grandchild: nil,
			stranger.AccessToken: "AUTH-1", first[:len(first)-4] + "AAAA": "AUTH-1", "junk": "AUTH-1", "a.b.c": "AUTH-1",
		} {
			if got := who(secret); got != want {
				t.Errorf("%.20s...: got %v, want %v", secret, got, want)
			}
		}
		if w := call(h, "POST", "/partner/tokens", child, `{"scopes":["x"]}`); w.Code != 403 || field(t, w, "error") != "invalid_scope" {
			t.Errorf("a scope that the token has not: got %d %s", w.Code, w.Body)
		}
		sibling := mint("acme-secret", `{}`)
		if err := iss.RevokeToken(t.Context(), grandchild); err != nil {
			t.Fatal(err)
		}
		for name, secret := range map[string]string{"first": first, "child": child, "grandchild": grandchild} {
			if got := who(secret); got != "AUTH-12" {
				t.Errorf("%s after its line was revoked: got %v, want AUTH-12", name, got)
			}
		}
		if got := who(sibling); got != nil {
			t.Errorf("a token of another line: got %v", got)
		}
		time.Sleep(time.Hour)
		if got := who(sibling); got != "AUTH-11" {
			t.Errorf("expired: got %v, want AUTH-11", got)
		}
	})
}

// TestVerifyJudgesTheTypeFirst verifies a token of another type than the request names.
// The answer names the type, even if the token has expired or was revoked since.
func TestVerifyJudgesTheTypeFirst(t *testing.T) {
	for _, opaque := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			iss, _, h := newPartnerOf(t, &reporter{}, issuer.Config{OpaqueTokens: opaque})
			mint := func() string {
				return field(t, call(h, "POST", "/partner/tokens", "acme-secret", `{"expires_in":60}`), "access_token").(string)
			}
			revoked, expired := mint(), mint()
			if err := iss.RevokeToken(t.Context(), revoked); err != nil {
				t.Fatal(err)
			}
			check := func(what, token, typ string, want any) {
				t.Helper()
				w := call(h, "POST", "/partner/tokens/verify", "acme-secret", `{"token":"`+token+`"`+typ+`}`)
				if got := field(t, w, "code"); got != want {
					t.Errorf("opaque %v, %s, %s: got %v, want %v", opaque, what, typ, got, want)
				}
			}
			check("live", expired, `,"type":"access"`, nil)
			check("live", expired, `,"type":"refresh"`, "AUTH-9")
			check("revoked", revoked, `,"type":"access"`, "AUTH-12")
			if !opaque { // the store has deleted an opaque one
				check("revoked", revoked, `,"type":"refresh"`, "AUTH-9")
			}
			time.Sleep(time.Hour)
			for _, typ := range []string{"", `,"type":"access"`} {
				check("expired", expired, typ, "AUTH-11")
			}
			check("expired", expired, `,"type":"refresh"`, "AUTH-9")
		})
	}
}

// TestRepeatedMembers checks that the error names a repeated member if it is a known
// one.
func TestRepeatedMembers(t *testing.T) {
	_, _, h := newPartner(t, &reporter{})
	for _, tt := range []struct{ path, body, want string }{
		{"/partner/tokens", `{"expires_in":60,"expires_in":60}`, `Invalid "expires_in" parameter: repeated`},
		{"/partner/tokens", `{"scopes":["x"],"x":1,"scopes":["x"]}`, `Invalid "scopes" parameter: repeated`},
		{"/partner/tokens/verify", `{"token":"a","token":"b"}`, `Invalid "token" parameter: repeated`},
		{"/partner/tokens", `{"<b>":1,"<b>":1}`, `Invalid body: expected a JSON object`},
		{"/partner/tokens", `{"x":{"scopes":1,"scopes":1}}`, `Invalid body: expected a JSON object`},
		{"/partner/tokens", `{"expires_in":60`, `Invalid body: expected a JSON object`},
		{"/partner/tokens", `[]`, `Invalid body: expected a JSON object`},
	} {
		w := call(h, "POST", tt.path, "acme-secret", tt.body)
		if w.Code != 422 || field(t, w, "message") != tt.want {
			t.Errorf("%s: got %d %s, want %s", tt.body, w.Code, w.Body, tt.want)
		}
	}
}

func TestChildDoesNotOutlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss, _, h := newPartner(t, &reporter{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go iss.Run(ctx)
		parent := field(t, call(h, "POST", "/partner/tokens", "acme-secret", `{"expires_in":100}`), "access_token").(string)
		time.Sleep(40 * time.Second)
		w := call(h, "POST", "/partner/tokens", parent, `{"expires_in":86400}`)
		if got := field(t, w, "expires_in"); got != 60.0 {
			t.Errorf("expires_in: got %v, want 60", got)
		}
	})
}

func TestReporterFails(t *testing.T) {
	for name, r := range map[string]*reporter{
		"at once":     {err: errors.New("down")},
		"in the rows": {rows: []store.Row{{Client: "a"}}, late: errors.New("down")},
	} {
		_, _, h := newPartner(t, r)
		w := call(h, "GET", "/partner/usages?api_name=a&start_date=2025-01-01&end_date=2025-01-01", "acme-secret", "")
		if w.Code != 500 || field(t, w, "code") != "AUTH-8" || strings.Contains(w.Body.String(), "clients") {
			t.Errorf("%s: got %d %s", name, w.Code, w.Body)
		}
	}
}

// TestReporterFailsLate fails after part of the report was sent. The connection is
// aborted, so that no client takes the report for complete.
func TestReporterFailsLate(t *testing.T) {
	r := &reporter{late: errors.New("down")}
	for i := range 10_000 {
		r.rows = append(r.rows, store.Row{Client: fmt.Sprintf("client %05d", i), Product: "p", Quantity: 1})
	}
	_, _, h := newPartner(t, r)
	srv := httptest.NewServer(h)
	defer srv.Close()
	for _, accept := range []string{"application/json", "text/csv"} {
		req, err := http.NewRequest("GET", srv.URL+"/partner/usages?api_name=a&start_date=2025-01-01&end_date=2025-01-01", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("acme", "acme-secret")
		req.Header.Set("Accept", accept)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err == nil {
			t.Errorf("%s: %d bytes came, and no error", accept, len(body))
		}
	}
}

// TestCSVHoldsNoFormulas uses names that a spreadsheet would run as formulas, and a
// negative number, which must stay one.
func TestCSVHoldsNoFormulas(t *testing.T) {
	var rows []store.Row
	var want strings.Builder
	want.WriteString("client_id,product,label,quantities,adjusted\n")
	for _, tt := range []struct{ name, cell string }{
		{"=1+1", "'=1+1"},
		{"+1", "'+1"},
		{"-1", "'-1"},
		{"@SUM(A1)", "'@SUM(A1)"},
		{"\t=1", "'\t=1"},
		{"\r=1", "\"'\r=1\""},
		{"\n=1", "\"'\n=1\""},
		{"=1,2", "\"'=1,2\""},
		{"=\"x\"", "\"'=\"\"x\"\"\""},
		{"a=1", "a=1"},
		{"a-b+c@d", "a-b+c@d"},
		{"'quoted", "'quoted"},
		{"", ""},
	} {
		rows = append(rows, store.Row{Client: tt.name, Product: tt.name, Label: tt.name, Quantity: -7, Adjusted: -8})
		want.WriteString(tt.cell + "," + tt.cell + "," + tt.cell + ",-7,-8\n")
	}
	_, _, h := newPartner(t, &reporter{rows: rows})

	r := httptest.NewRequest("GET", "/partner/usages?api_name=a&start_date=2025-01-01&end_date=2025-01-02", nil)
	r.SetBasicAuth("acme", "acme-secret")
	r.Header.Set("Accept", "text/csv")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Body.String() != want.String() {
		t.Errorf("got\n%s\nwant\n%s", w.Body, want.String())
	}
}

func TestReportForms(t *testing.T) {
	complete := time.Date(2025, 1, 3, 4, 5, 6, 7, time.FixedZone("", 3600))
	rows := []store.Row{
		{Client: "a,b", Product: "p", Label: "l", Day: 20089, Quantity: 5, Adjusted: -1},
		{Client: "a,b", Product: "p", Label: "m", Day: 20090, Quantity: 2},
		{Client: "c", Product: "<q>", Label: "", Day: 20090, Quantity: 3},
	}
	_, _, h := newPartner(t, &reporter{rows: rows, complete: complete})
	for _, tt := range []struct{ accept, by, kind, want string }{
		{"*/*", "day", "application/json", `{"api":"a","start_date":"2025-01-01","end_date":"2025-01-02","clients":[` +
			`{"client_id":"a,b","products":[{"product":"p","label":"m","quantities":7,"adjusted":-1,"days":[` +
			`{"day":"2025-01-01","quantities":5,"adjusted":-1},{"day":"2025-01-02","quantities":2}]}]},` +
			`{"client_id":"c","products":[{"product":"\u003cq\u003e","label":"","quantities":3,"days":[{"day":"2025-01-02","quantities":3}]}]}]}` + "\n"},
		{"text/csv", "day", "text/csv; charset=utf-8", "client_id,product,label,quantities,adjusted,day\n" +
			"\"a,b\",p,l,5,-1,2025-01-01\n\"a,b\",p,m,2,0,2025-01-02\nc,<q>,,3,0,2025-01-02\n"},
		{"text/html, Text/CSV;q=0.5", "", "text/csv; charset=utf-8", "client_id,product,label,quantities,adjusted\n" +
			"\"a,b\",p,l,5,-1\n\"a,b\",p,m,2,0\nc,<q>,,3,0\n"},
	} {
		target := "/partner/usages?api_name=a&start_date=2025-01-01&end_date=2025-01-02"
		if tt.by != "" {
			target += "&by=" + tt.by
		}
		r := httptest.NewRequest("GET", target, nil)
		r.SetBasicAuth("acme", "acme-secret")
		r.Header.Set("Accept", tt.accept)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 200 || w.Header().Get("Content-Type") != tt.kind || w.Body.String() != tt.want {
			t.Errorf("%s by %q: got %d %s\n%s\nwant\n%s", tt.accept, tt.by, w.Code, w.Header().Get("Content-Type"), w.Body, tt.want)
		}
		if got := w.Header().Get("Usage-Complete-Through"); got != "2025-01-03T03:05:06Z" {
			t.Errorf("Usage-Complete-Through: %q", got)
		}
		if !slices.Contains(w.Header().Values("Vary"), "Accept") {
			t.Errorf("Vary: %v", w.Header().Values("Vary"))
		}
	}
	for _, query := range []string{
		"api_name=a&start_date=2025-01-01&end_date=2025-01-01&by=week", "api_name=%00&start_date=2025-01-01&end_date=2025-01-01",
	} {
		if w := call(h, "GET", "/partner/usages?"+query, "acme-secret", ""); w.Code != 422 {
			t.Errorf("%s: got %d %s", query, w.Code, w.Body)
		}
	}
}

func TestS07Config(t *testing.T) {
	iss, _, _ := newPartner(t, &reporter{})
	for name, err := range map[string]error{
		"no issuer":   second(partner.New(nil, &reporter{}, nil)),
		"no reporter": second(partner.New(iss, nil, nil)),
		"base":        second(partner.New(iss, &reporter{}, &partner.Config{Base: "/x/"})),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// FuzzReportDates states that a report is either refused or covers exactly the
// requested days. These are at most 366, and limited to days on which there can be
// usage.
func FuzzReportDates(f *testing.F) {
	for _, d := range [][2]string{
		{"2025-01-01", "2025-01-31"}, {"2024-02-29", "2025-02-28"}, {"2025-02-29", "2025-03-01"}, {"2025-1-1", "2025-01-02"},
		{"2025-01-02", "2025-01-01"}, {"0000-01-01", "0000-01-02"}, {"9999-12-31", "9999-12-31"}, {"2025-01-01T00:00:00Z", ""}, {"+2025-01-1", "x"},
	} {
		f.Add(d[0], d[1])
	}
	r := &reporter{}
	_, _, h := newPartner(f, r)
	f.Fuzz(func(t *testing.T, start, end string) {
		q := url.Values{"api_name": {"a"}, "start_date": {start}, "end_date": {end}}
		r.asked = store.Query{}
		w := call(h, "GET", "/partner/usages?"+q.Encode(), "acme-secret", "")
		if w.Code != 200 {
			if w.Code != 422 || field(t, w, "code") != "AUTH-6" {
				t.Errorf("%q to %q: got %d %s", start, end, w.Code, w.Body)
			}
			return
		}
		text := func(day store.Day) string { return time.Unix(int64(day)*86400, 0).UTC().Format(time.DateOnly) }
		last := text(store.DayOf(time.Now()) + 366)
		if r.asked.API == "" {
			if end > "1970-01-01" && start <= last {
				t.Errorf("%q to %q: the store is not asked", start, end)
			}
			return
		}
		from, to := max(start, "1970-01-01"), min(end, last)
		if text(r.asked.From) != from || text(r.asked.To) != to || r.asked.To < r.asked.From || r.asked.To-r.asked.From > 365 {
			t.Errorf("%q to %q: asked for %s to %s", start, end, text(r.asked.From), text(r.asked.To))
		}
	})
}
