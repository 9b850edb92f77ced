package store_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
)

func TestDays(t *testing.T) {
	for date, want := range map[string]store.Day{"1970-01-01": 0, "1970-01-02": 1, "1969-12-31": -1, "2024-02-29": 19782} {
		begin, err := time.Parse(time.DateOnly, date)
		if err != nil {
			t.Fatal(err)
		}
		elsewhere := begin.Add(24*time.Hour - 1).In(time.FixedZone("", -11*60*60))
		if first, last := store.DayOf(begin), store.DayOf(elsewhere); first != want || last != want {
			t.Errorf("%s: got %d and %d, want %d", date, first, last, want)
		}
		if got := want.Midnight(); !got.Equal(begin) || got.Format(time.DateOnly) != date || want.String() != date {
			t.Errorf("%d: got %v", want, got)
		}
	}
}

func TestSum(t *testing.T) {
	const most, least = math.MaxInt64, math.MinInt64
	for _, tt := range []struct{ a, b, want int64 }{
		{1, 2, 3}, {most, 1, most}, {most, -1, most - 1}, {1, most, most}, {most, most, most},
		{least, -1, least}, {least, 1, least + 1}, {-1, least, least}, {least, least, least}, {most, least, -1},
	} {
		if got := store.Sum(tt.a, tt.b); got != tt.want {
			t.Errorf("%d + %d: got %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestQueryCheck(t *testing.T) {
	today := store.DayOf(time.Now())
	for name, tt := range map[string]struct {
		change func(*store.Query)
		fields []string
	}{
		"good":                  {func(*store.Query) {}, nil},
		"all there is":          {func(q *store.Query) { q.From, q.To = 0, today+366 }, nil},
		"one day":               {func(q *store.Query) { q.From = q.To }, nil},
		"no API":                {func(q *store.Query) { q.API = "" }, []string{"API"}},
		"no issuer":             {func(q *store.Query) { q.Issuer = "" }, []string{"Issuer"}},
		"NUL":                   {func(q *store.Query) { q.API = "\x00" }, []string{"API"}},
		"To forgotten":          {func(q *store.Query) { q.To = 0 }, []string{"To"}},
		"both forgotten":        {func(q *store.Query) { q.From, q.To = 0, 0 }, []string{"To"}},
		"the wrong way around":  {func(q *store.Query) { q.From, q.To = q.To, q.From }, []string{"To"}},
		"dates as numbers":      {func(q *store.Query) { q.From, q.To = 20250101, 20250131 }, []string{"From", "To"}},
		"seconds":               {func(q *store.Query) { q.To = store.Day(time.Now().Unix()) }, []string{"To"}},
		"before 1970":           {func(q *store.Query) { q.From = -1 }, []string{"From"}},
		"more than a year away": {func(q *store.Query) { q.To = today + 368 }, []string{"To"}},
	} {
		q := store.Query{API: "a", Issuer: "i", From: today - 31, To: today}
		tt.change(&q)
		wantFaults(t, name, q.Check(), tt.fields...)
	}
}

func TestAdjustmentCheck(t *testing.T) {
	today := store.DayOf(time.Now())
	for name, tt := range map[string]struct {
		change func(*store.Adjustment)
		fields []string
	}{
		"good":              {func(*store.Adjustment) {}, nil},
		"last year's":       {func(a *store.Adjustment) { a.Day = today - 400 }, nil},
		"tomorrow's":        {func(a *store.Adjustment) { a.Day = today + 1 }, nil},
		"a long name":       {func(a *store.Adjustment) { a.Client = strings.Repeat("x", 1000) }, nil},
		"nothing":           {func(a *store.Adjustment) { *a = store.Adjustment{} }, []string{"Key", "API", "Issuer", "Client", "Product", "Reason", "Quantity", "Day"}},
		"no key":            {func(a *store.Adjustment) { a.Key = "" }, []string{"Key"}},
		"no issuer":         {func(a *store.Adjustment) { a.Issuer = "" }, []string{"Issuer"}},
		"no UTF-8":          {func(a *store.Adjustment) { a.Product = "\xff" }, []string{"Product"}},
		"no reason":         {func(a *store.Adjustment) { a.Reason = "" }, []string{"Reason"}},
		"no quantity":       {func(a *store.Adjustment) { a.Quantity = 0 }, []string{"Quantity"}},
		"a forgotten day":   {func(a *store.Adjustment) { a.Day = 0 }, []string{"Day"}},
		"a day of a month":  {func(a *store.Adjustment) { a.Day = 31 }, []string{"Day"}},
		"a date":            {func(a *store.Adjustment) { a.Day = 20250131 }, []string{"Day"}},
		"the day after":     {func(a *store.Adjustment) { a.Day = today + 3 }, []string{"Day"}},
		"a day of last age": {func(a *store.Adjustment) { a.Day = 10956 }, []string{"Day"}},
	} {
		a := store.Adjustment{Key: "k", API: "a", Issuer: "i", Client: "c", Product: "p", Day: today, Quantity: -1, Reason: "r"}
		tt.change(&a)
		wantFaults(t, name, a.Check(), tt.fields...)
	}
}

func TestChangeCheck(t *testing.T) {
	for kind := range store.Kind(255) {
		c := store.Change{Kind: kind, ID: "x"}
		if known := kind >= store.KindToken && kind <= store.KindSigningKey; known != (c.Check() == nil) {
			t.Errorf("kind %d: got %v", kind, c.Check())
		}
	}
	wantFaults(t, "no ID", (&store.Change{Kind: store.KindToken}).Check(), "ID")
	wantFaults(t, "an old name", (&store.Change{Kind: store.KindUser, ID: "\xff" + strings.Repeat("\n", 999)}).Check())
}

func TestReport(t *testing.T) {
	now := time.Now().In(time.FixedZone("", 2*60*60))
	r := store.NewReport(nil, now)
	if got, want := fmt.Sprint(r.CompleteThrough), now.UTC().Round(0).String(); got != want || !strings.HasSuffix(got, "+0000 UTC") {
		t.Errorf("complete through %s, want %s, in UTC and without a monotonic clock", got, want)
	}
	for row, err := range r.Rows() {
		t.Errorf("a report without rows: got %+v, %v", row, err)
	}
	if got := (&store.Report{}).Rows(); got == nil {
		t.Error("the zero report cannot be ranged over")
	}
}
