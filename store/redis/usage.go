package redis

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/authtier/authtier/store"
)

// The counts of one issuer and API are a series. A place is a day of a series. The keys
// are:
//
//	streams                   stream -> its state, until it has ended
//	ended                     stream -> its state, or "closed"
//	youngest                  streams that are not folded, by their youngest day
//	places:<stream>           places of the stream, by their day
//	counts:<stream>:<place>   counter -> its total and names
//	told:<place>              streams that have counts
//	folded:<place>            names -> the sum of the counts of folded streams;
//	                          "" -> how many times any were moved or dropped
//	adjustments               key -> place
//	adjusted:<place>          key -> adjustment
//	days:<series>             days that have counts or adjustments
//	series                    series that have days

const batchSize = 500 // counts that one script records, while the server does nothing else

// Record implements [store.Usage]. Each script records some of the counts. The last one
// records the sequence number, so that the number acknowledges all counts. Until then
// the stream counts as young, and is not folded.
func (s *Store) Record(ctx context.Context, stream store.Stream, t store.Batch) (had uint64, err error) {
	young := store.DayOf(time.Now())
	for _, c := range t.Counts {
		if c.Total < 0 {
			return 0, fmt.Errorf("redis: counter %d has the total %d", c.Counter, c.Total)
		}
		young = max(young, c.Day)
	}

	for {
		n := min(len(t.Counts), batchSize)
		last := n == len(t.Counts)
		reply, err := s.run(ctx, recordCounts, recordArgs(stream, last, young, t, t.Counts[:n])...)
		if err != nil {
			return 0, err
		}
		if reply == "closed" {
			return 0, store.ErrStreamClosed
		}

		if last {
			text, _ := reply.(string)
			if had, err = strconv.ParseUint(text, 10, 64); err != nil {
				return 0, fmt.Errorf("redis: a script returned %v", reply)
			}
			return had, nil
		}
		t.Counts = t.Counts[n:]
	}
}

func recordArgs(stream store.Stream, last bool, young store.Day, t store.Batch, cs []store.Count) []any {
	args := []any{hex.EncodeToString(stream[:]), formatFlag(last), int(young), t.Seq, formatTime(t.Through), formatFlag(t.Ended), len(cs)}
	for _, c := range cs {
		args = append(args, series(c.Issuer, c.API), int(c.Day), c.Counter, c.Total,
			formatList([]string{c.Client, c.Product, c.Label}))
	}
	return args
}

// series returns the name of the series of an issuer and an API.
func series(issuer, api string) string { return fmt.Sprintf("%d:%s%s", len(issuer), issuer, api) }

// place returns the name of a day of a series.
func place(day store.Day, issuer, api string) string {
	return fmt.Sprintf("%d:%s", day, series(issuer, api))
}
