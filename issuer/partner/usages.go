package partner

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/authtier/authtier/issuer/internal/form"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// maxDays is the largest number of days that one report covers.
const maxDays = 366

// usages reports the caller's own usage of an API, or with [UsageScope] that of all
// clients. The report is JSON, or text/csv if Accept asks for that. With by=day it also
// has the usage of each day. The header Usage-Complete-Through gives the time up to
// which every node has reported.
func (p *Partner) usages(w http.ResponseWriter, r *http.Request, id middleware.Identity) error {
	params, err := form.Query(r, "api_name", "start_date", "end_date", "by")
	if err != nil {
		return err
	}
	q, err := query(params, id)
	if err != nil {
		return err
	}

	report, err := p.report(r.Context(), q)
	if err != nil {
		return fmt.Errorf("partner: reporting usage: %w", err)
	}

	h := w.Header()
	h.Add("Vary", "Accept")
	if !report.CompleteThrough.IsZero() {
		h.Set("Usage-Complete-Through", report.CompleteThrough.UTC().Format(time.RFC3339))
	}
	form.NoStore(h)

	out := newOutput(w)
	if acceptsCSV(r.Header) {
		h.Set("Content-Type", "text/csv; charset=utf-8")
		err = out.csv(q, report.Rows())
	} else {
		h.Set("Content-Type", "application/json")
		err = out.json(q, params, report.Rows())
	}
	if err == nil {
		err = out.Flush()
	}

	// The status is sent already. Aborting the connection shows the client that the
	// report is incomplete.
	if err != nil && out.begun {
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		// Nothing was sent yet, so a refusal can still be answered. It must not have
		// the report's header.
		h.Del("Usage-Complete-Through")
		return fmt.Errorf("partner: reporting usage: %w", err)
	}
	return nil
}

// query returns the query that the parameters and the caller's scopes ask for.
func query(params form.Params, id middleware.Identity) (q store.Query, err error) {
	for _, name := range []string{"api_name", "start_date", "end_date"} {
		if params.Get(name) == "" {
			return q, form.Missing(name)
		}
	}

	q = store.Query{API: params.Get("api_name"), Issuer: id.Issuer, Client: id.Client, ByDay: params.Get("by") == "day"}
	// A query without a client reports all of them.
	if id.Scopes.Has(UsageScope) {
		q.Client = ""
	}
	if by := params.Get("by"); by != "" && by != "day" {
		return q, form.Invalid("by", "expected day")
	}

	if q.From, err = day("start_date", params.Get("start_date")); err != nil {
		return q, err
	}
	if q.To, err = day("end_date", params.Get("end_date")); err != nil {
		return q, err
	}

	if q.To < q.From || q.To-q.From >= maxDays {
		return q, form.Invalid("end_date", "expected the start_date or one of the 365 days after it")
	}
	if strings.Contains(q.API, "\x00") {
		return q, form.Invalid("api_name", "expected the name of an API")
	}
	return q, nil
}

// report returns the report for q. Days on which there cannot be any usage are not an
// error: their report is empty.
func (p *Partner) report(ctx context.Context, q store.Query) (*store.Report, error) {
	last := store.DayOf(time.Now()) + 366
	if q.To < 1 || q.From > last {
		return &store.Report{}, nil
	}
	q.From, q.To = max(q.From, 0), min(q.To, last)
	return p.usage.Report(ctx, q)
}

// acceptsCSV reports whether Accept names text/csv but not application/json.
func acceptsCSV(h http.Header) bool {
	accept := strings.ToLower(strings.Join(h["Accept"], ","))
	csv := false
	for part := range strings.SplitSeq(accept, ",") {
		kind, _, _ := strings.Cut(part, ";")
		switch strings.TrimSpace(kind) {
		case "text/csv":
			csv = true
		case "application/json":
			return false
		}
	}
	return csv
}

// day returns the UTC day in a parameter.
func day(name, value string) (store.Day, error) {
	t, err := time.Parse(time.DateOnly, value)
	if err != nil || len(value) != len(time.DateOnly) {
		return 0, form.Invalid(name, "expected a day as YYYY-MM-DD")
	}
	return store.DayOf(t), nil
}
