package store

import (
	"context"
	"errors"
	"math"
	"time"
)

// A Stream is one source of counts, such as a file of a meter. Its ID is random. It is
// for packages that record counts or implement a [Store]; most programs do not need it.
type Stream [16]byte

// A Count says how much a stream has counted so far for one client and product on one
// day. It is a total and not an increment: recording it twice, or after a later one,
// changes nothing. It is for packages that record counts or implement a [Store]; most
// programs do not need it.
type Count struct {
	Counter        uint32 // numbers the counts of the stream
	Day            Day
	Issuer, Client string
	API, Product   string
	Label          string
	Total          int64 // not negative
}

// A Batch holds the counts that a stream records in one call. It is for packages that record counts or
// implement a [Store]; most programs do not need it.
type Batch struct {
	Seq     uint64    // the sequence number, which grows with each batch of the stream
	Through time.Time // the stream's counts are complete up to this time
	Ended   bool      // the stream will not count any more
	Counts  []Count
}

// LateDays is the number of days for which a day still accepts counts after its end. One
// day later, streams that have only counts of such days are folded: they are closed, and
// their counts are added up.
const LateDays = 7

// Sum returns a+b, or the nearest int64 if that overflows. All quantities of a [Report]
// are added up in this way.
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
	// ErrStreamClosed is returned by [Usage.Record] for a stream that was folded.
	ErrStreamClosed = errors.New("store: the stream of counts is closed")

	// ErrKeyReused is returned by [Usage.Adjust] if another adjustment has the key.
	ErrKeyReused = errors.New("store: another adjustment has the key")
)

// A Query asks how much clients used of an API. The last 30 days are:
//
//	today := store.DayOf(time.Now())
//	q := store.Query{API: "maps", Issuer: url, From: today - 29, To: today}
type Query struct {
	API, Issuer string // neither may be empty
	Client      string // only this client's use; if empty, that of all clients
	From, To    Day    // both are included
	ByDay       bool   // each day has rows of its own
}

// Check returns an error that names every invalid field. Without it, a mistake would
// give an empty report, which reads as a bill of nothing. To may be at most a year from
// now.
func (q *Query) Check() error {
	f := faults{what: "query"}
	f.usageName("API", q.API)
	f.usageName("Issuer", q.Issuer)

	// Nothing was used on day 0: a To of 0 was forgotten.
	latest := DayOf(time.Now()) + 366
	f.day("From", q.From, 0, latest)
	f.day("To", q.To, 1, latest)
	if q.To < q.From {
		f.add("To", "is %d, which is before From, %d", q.To, q.From)
	}
	return f.err()
}

// A Row says how much one client used of one product in the time of the query. If the
// product had several labels, the row has the last one in alphabetical order.
type Row struct {
	Client, Product, Label string
	Day                    Day   // the day of the row if the query is by day, else 0
	Quantity               int64 // adjustments included
	Adjusted               int64 // how much of it is adjustments
}

// An Adjustment corrects a quantity, upwards or downwards. The counts stay as they are.
type Adjustment struct {
	Key             string // identifies the adjustment, so that it can be repeated safely
	API, Issuer     string
	Client, Product string
	Day             Day
	Quantity        int64 // signed, not 0
	Reason, Author  string
	Made            time.Time
}

// oldestDay is 1 January 2000. A smaller number is a mistake, such as the day of a month.
const oldestDay = 10957

// Check returns an error that names every invalid field of a: a Key, API, Issuer,
// Client, Product or Reason that is missing, a Quantity of 0, or a Day that is after
// tomorrow or before 2000. Without Check, such an adjustment would be in no report.
func (a *Adjustment) Check() error {
	f := faults{what: "adjustment", name: a.Key}
	for _, name := range []struct{ field, is string }{
		{"Key", a.Key}, {"API", a.API}, {"Issuer", a.Issuer}, {"Client", a.Client}, {"Product", a.Product}, {"Reason", a.Reason},
	} {
		f.usageName(name.field, name.is)
	}

	if a.Quantity == 0 {
		f.add("Quantity", "is 0")
	}
	f.day("Day", a.Day, oldestDay, DayOf(time.Now())+1)
	return f.err()
}

// Usage keeps counts and adjustments, and reports them. A meter.Meter records counts;
// programs call the other methods.
type Usage interface {
	// Record stores, for each counter of the stream, the highest total that it was
	// ever given. It raises the stream's Through and Ended in the same way. Batches may
	// come twice and in any order.
	//
	// It returns the highest sequence number that the stream has recorded before.
	// If that is lower than one that was acknowledged, the store went back in time,
	// and the stream must record all of its counts again. It returns
	// [ErrStreamClosed], and stores nothing, if the stream was folded. After any other
	// error some of the counts may be stored; recording all of them again is safe.
	Record(ctx context.Context, s Stream, b Batch) (previous uint64, err error)

	// Report answers q. It returns an error if the Check method of q does.
	Report(ctx context.Context, q Query) (*Report, error)

	// Adjust stores an adjustment. If its key is known and the adjustment is the same
	// except for Made, Adjust changes nothing. If it is another one, Adjust returns
	// [ErrKeyReused]. Adjust returns an error, and stores nothing, if the Check method
	// of a does.
	Adjust(ctx context.Context, a Adjustment) error

	// Adjustments returns the adjustments that a report on q includes, ordered by
	// Made. It returns an error if the Check method of q does.
	Adjustments(ctx context.Context, q Query) ([]Adjustment, error)

	// ForgetUsage deletes the counts and adjustments of all days before the given one.
	// It returns an error if before is less than [LateDays]+2 days ago.
	ForgetUsage(ctx context.Context, before Day) error
}
