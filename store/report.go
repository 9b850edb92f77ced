package store

import (
	"iter"
	"time"
)

// A Report says how much clients used of an API. A store or a meter returns it.
type Report struct {
	// CompleteThrough is the time up to which the report holds all counts. Counts
	// from before that time do not change any more, except that an [Adjustment] can
	// still be made. Later counts may be missing, because some process has not
	// recorded them yet. If no process counts, it is the time of the report.
	CompleteThrough time.Time

	rows iter.Seq2[Row, error]
}

// NewReport returns a report with these rows. It is for packages that implement a
// [Store] or stand in for one; most programs do not need it. CompleteThrough gets
// completeThrough in UTC. If rows is nil, the report has no rows.
func NewReport(rows iter.Seq2[Row, error], completeThrough time.Time) *Report {
	return &Report{CompleteThrough: completeThrough.Round(0).UTC(), rows: rows}
}

// Rows returns the rows, ordered by client, product and day. Clients and products
// without any use or adjustment have no row. An error ends the sequence; the rows
// before it are then only a part of the report. The store may read rows while the
// caller ranges over them. The context passed to Report must not end before that.
func (r *Report) Rows() iter.Seq2[Row, error] {
	if r.rows == nil {
		return func(func(Row, error) bool) {}
	}
	return r.rows
}
