package store_test

import (
	"math"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
)

func TestDays(t *testing.T) {
	for date, want := range map[string]int{"1970-01-01": 0, "1970-01-02": 1, "1969-12-31": -1, "2024-02-29": 19782} {
		begin, err := time.Parse(time.DateOnly, date)
		if err != nil {
			t.Fatal(err)
		}
		elsewhere := begin.Add(24*time.Hour - 1).In(time.FixedZone("", -11*60*60))
		if first, last := store.DayOf(begin), store.DayOf(elsewhere); first != want || last != want {
			t.Errorf("%s: got %d and %d, want %d", date, first, last, want)
		}
		if got := store.Midnight(want); !got.Equal(begin) || got.Format(time.DateOnly) != date {
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
