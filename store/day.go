package store

import "time"

// A Day is a UTC day, in days since 1 January 1970. Arithmetic counts days: the day
// before d is d-1.
type Day int

const secondsPerDay = 24 * 60 * 60

// DayOf returns the UTC day of t.
func DayOf(t time.Time) Day {
	seconds := t.Unix()
	sinceMidnight := (seconds%secondsPerDay + secondsPerDay) % secondsPerDay // not negative before 1970
	return Day((seconds - sinceMidnight) / secondsPerDay)
}

// Midnight returns the time at which the day begins, in UTC.
func (d Day) Midnight() time.Time { return time.Unix(int64(d)*secondsPerDay, 0).UTC() }

// String returns the date as YYYY-MM-DD.
func (d Day) String() string { return d.Midnight().Format(time.DateOnly) }
