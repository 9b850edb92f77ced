package importing

import (
	"context"
	"sync"
	"sync/atomic"
)

// readers is how many look-ups run at a time. A store across a network answers many of
// them at once, and SQLite about as many as there are cores.
const readers = 8

// compareAll compares entries with the store. It settles those that are stored, and those
// that cannot be created, and returns the rest in their order.
func (l *load[R]) compareAll(ctx context.Context, entries []*entry[R]) (rest []*entry[R], err error) {
	verdicts := make([]verdict, len(entries))
	errs := make([]error, readers)
	var next atomic.Int64
	var wg sync.WaitGroup
	for n := range min(readers, len(entries)) {
		wg.Go(func() {
			for errs[n] == nil {
				i := int(next.Add(1)) - 1
				if i >= len(entries) {
					return
				}
				verdicts[i], errs[n] = l.kind.compare(ctx, &entries[i].record)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}

	for i, e := range entries {
		switch {
		case verdicts[i].stored:
			l.settle(e, verdicts[i])
		case len(e.late) > 0:
			e.faults = e.late
		default:
			rest = append(rest, e)
		}
	}
	return rest, nil
}
