package store

import (
	"context"
	"errors"
	"math"
	"time"
)

// A Stream is one source of counts, such as a process. Its ID is random.
type Stream [16]byte

// A Count says how much a stream has counted so far for one client and product
// on one day: a fact, not an increment. Told twice or out of order it changes
// nothing.
type Count struct {
	Counter        uint32 // numbers the stream's counts
	Day            Day
	Issuer, Client string
	API, Product   string
	Label          string
	Total          int64
}

// A Telling is what a stream tells at once.
type Telling struct {
	Seq     uint64    // grows with each telling of the stream
	Through time.Time // up to when the stream's counts are complete
	Ended   bool      // the stream counts no more
	Counts  []Count
}

// KeepDays is for how many days after its own a day may still be counted on.
// What was told of older days is folded: streams that have nothing later are
// closed, and their counts are added up.
const KeepDays = 7

// Sum returns a+b, at most and at least what an int64 holds: quantities have
// their limit there.
func Sum(a, b int64) int64 {
	switch {
	case b > 0 && a > math.MaxInt64-b:
		return math.MaxInt64
	case b < 0 && a < math.MinInt64-b:
		return math.MinInt64
	}
	return a + b
}

// Errors of [Usage].
var (
	ErrStreamClosed = errors.New("store: the stream of counts is closed")
	ErrKeyReused    = errors.New("store: another adjustment has the key")
)

// A Query asks what clients used of an API. The last 30 days are:
//
//	today := store.DayOf(time.Now())
//	q := store.Query{API: "maps", Issuer: url, From: today - 29, To: today}
type Query struct {
	API, Issuer string // neither may be empty
	Client      string // only this client's use; if empty, that of all clients
	From, To    Day    // both are included
	ByDay       bool   // each day has rows of its own
}

// Check returns an error that names every field that cannot be asked for. A report
// that is empty because of a mistake would read as a bill of nothing. To may be a year
// from now at most.
func (q *Query) Check() error {
	f := faults{what: "query"}
	f.counted("API", q.API)
	f.counted("Issuer", q.Issuer)

	// Nothing was used on day 0: a To of 0 was forgotten.
	latest := DayOf(time.Now()) + 366
	f.day("From", q.From, 0, latest)
	f.day("To", q.To, 1, latest)
	if q.To < q.From {
		f.add("To", "is %d, which is before From, %d", q.To, q.From)
	}
	return f.err()
}

// A Row is what one client has used of one product in the time asked for. Of
// several labels that the product had, it has the last in alphabetical order.
type Row struct {
	Client, Product, Label string
	Day                    Day   // the day of the row if the query is by day, else 0
	Quantity               int64 // adjustments included
	Adjusted               int64 // how much of it is adjustments
}

// An Adjustment corrects what a client has used, upwards or downwards, without a
// change to what was counted.
type Adjustment struct {
	Key             string // by which a repeated one is told from another
	API, Issuer     string
	Client, Product string
	Day             Day
	Quantity        int64 // signed, not 0
	Reason, Author  string
	Made            time.Time
}

// oldestDay is 1 January 2000. Numbers below are no days, but days of a month or years.
const oldestDay = 10957

// Check returns an error that names every field of a that is wrong: a Key, API,
// Issuer, Client, Product or Reason that is missing, a Quantity of 0, or a Day that is
// after tomorrow or no day of this century. Without Check, such an adjustment would be
// in no report.
func (a *Adjustment) Check() error {
	f := faults{what: "adjustment", name: a.Key}
	for _, name := range []struct{ field, is string }{
		{"Key", a.Key}, {"API", a.API}, {"Issuer", a.Issuer}, {"Client", a.Client}, {"Product", a.Product}, {"Reason", a.Reason},
	} {
		f.counted(name.field, name.is)
	}

	if a.Quantity == 0 {
		f.add("Quantity", "is 0")
	}
	f.day("Day", a.Day, oldestDay, DayOf(time.Now())+1)
	return f.err()
}

// Usage keeps counts.
type Usage interface {
	// Tell keeps the highest total told for each counter of the stream. It
	// returns the highest sequence number told by the stream before: lower than
	// one that was acknowledged, it means that the store went back in time, and
	// that the stream must tell everything again. If the stream was folded, the
	// error is [ErrStreamClosed], and nothing is kept.
	Tell(ctx context.Context, s Stream, t Telling) (had uint64, err error)

	// Report answers q. It returns an error if the Check method of q does.
	Report(ctx context.Context, q Query) (*Report, error)

	// Adjust keeps an adjustment. One with a key that is known changes nothing,
	// and is [ErrKeyReused] unless it is the same but for the time. Adjust returns an
	// error, and keeps nothing, if the Check method of a does.
	Adjust(ctx context.Context, a Adjustment) error

	// Adjustments returns those that the rows of q include, by the time when they
	// were made. It returns an error if the Check method of q does.
	Adjustments(ctx context.Context, q Query) ([]Adjustment, error)

	// ForgetUsage drops what was used before a day, which must be at least
	// [KeepDays] and two days ago: counts, and adjustments.
	ForgetUsage(ctx context.Context, before Day) error
}
