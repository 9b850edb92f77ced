package store

import (
	"context"
	"iter"
	"time"
)

// A Stream is one source of counts, such as a process. Its ID is random.
type Stream [16]byte

// A Count says how much a stream has counted so far for one client and product
// on one day: a fact, not an increment. Told twice or out of order it changes
// nothing.
type Count struct {
	Counter        uint32 // numbers the stream's counts
	Day            int    // days since 1 January 1970 UTC
	Issuer, Client string
	API, Product   string
	Label          string
	Total          int64
}

// A Query asks for the use of an API.
type Query struct {
	API, Issuer string
	Client      string // everyone's, if empty
	From, To    int    // days since 1 January 1970 UTC, both inclusive
}

// A Row is what one client has used of one product in the time asked for. Of
// several labels that the product had, it has the last in alphabetical order.
type Row struct {
	Client, Product, Label string
	Quantity               int64
}

// Usage keeps counts.
type Usage interface {
	// Tell keeps the highest total told for each stream and counter. It returns
	// the highest sequence number told by the stream before: lower than one that
	// was acknowledged, it means that the store went back in time, and that the
	// stream must tell everything again. Through is up to when the stream's
	// counts are complete.
	Tell(ctx context.Context, s Stream, seq uint64, through time.Time, cs []Count) (had uint64, err error)

	// Report returns the rows that q asks for, ordered by client and product,
	// none without use; and up to when every stream has told its counts. An
	// error in the sequence ends it.
	Report(ctx context.Context, q Query) (rows iter.Seq2[Row, error], complete time.Time, err error)
}
