// Package deadline says when a point in time has passed on either of two clocks.
package deadline

import "time"

// A Deadline has passed as soon as the monotonic clock or the wall clock says so. The
// monotonic clock stands still while the machine sleeps, and the wall clock may be set
// back. The zero Deadline has passed.
type Deadline struct{ monotonic, wall time.Time }

// At returns the Deadline at t. t must have a monotonic clock reading.
func At(t time.Time) Deadline { return Deadline{t, t.Round(0)} }

// Passed reports whether d is before now.
func (d *Deadline) Passed(now time.Time) bool { return now.After(d.monotonic) || now.After(d.wall) }

// Before reports whether d is before t on the monotonic clock.
func (d *Deadline) Before(t time.Time) bool { return d.monotonic.Before(t) }

// Time returns the time of d on the monotonic clock.
func (d *Deadline) Time() time.Time { return d.monotonic }
