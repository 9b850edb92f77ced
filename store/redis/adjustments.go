package redis

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/authtier/authtier/store"
)

// Adjust implements [store.Usage].
func (s *Store) Adjust(ctx context.Context, a store.Adjustment) error {
	if err := a.Check(); err != nil {
		return err
	}
	here := place(a.Day, a.Issuer, a.API)
	reply, err := s.run(ctx, adjust, a.Key, series(a.Issuer, a.API), int(a.Day), encodeAdjustment(a))
	if err != nil {
		return err
	}
	if reply == "ok" {
		return nil
	}

	// An adjustment with the key exists. Repeating the same one is not an error.
	known, _ := reply.([]any)
	if len(known) != 2 {
		return fmt.Errorf("redis: a script returned %v", reply)
	}
	text, _ := known[1].(string)
	old, err := decodeAdjustment(text)
	if err != nil {
		return fmt.Errorf("redis: the adjustment %.100q of %.200q is not ours: %w", a.Key, fmt.Sprint(s.prefix, "adjusted:", known[0]), err)
	}

	// The key and the place hold these fields. A repeated call may have another time.
	old.Key, old.API, old.Issuer, old.Day, old.Made = a.Key, a.API, a.Issuer, a.Day, a.Made
	if known[0] != here || old != a {
		return store.ErrKeyReused
	}
	return nil
}

// Adjustments implements [store.Usage].
func (s *Store) Adjustments(ctx context.Context, q store.Query) ([]store.Adjustment, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}

	// A series has a hash for each day, so the days come first.
	days, err := s.days(ctx, q)
	if err != nil {
		return nil, err
	}

	var all []store.Adjustment
	for _, day := range days {
		as, err := s.adjusted(ctx, q, day)
		if err != nil {
			return nil, err
		}
		for _, a := range as {
			if q.Client == "" || a.Client == q.Client {
				all = append(all, a)
			}
		}
	}

	slices.SortFunc(all, func(a, b store.Adjustment) int {
		return cmp.Or(a.Made.Compare(b.Made), cmp.Compare(a.Key, b.Key))
	})
	return all, nil
}

// adjusted returns the adjustments of a day of the series that q asks for.
func (s *Store) adjusted(ctx context.Context, q store.Query, day store.Day) ([]store.Adjustment, error) {
	name := "adjusted:" + place(day, q.Issuer, q.API)
	kept, err := s.scan(ctx, name)
	if err != nil {
		return nil, err
	}

	var as []store.Adjustment
	for key, text := range kept {
		a, err := decodeAdjustment(text)
		if err != nil {
			return nil, fmt.Errorf("redis: the adjustment %.100q of %.200q is not ours: %w", key, s.prefix+name, err)
		}
		a.Key, a.API, a.Issuer, a.Day = key, q.API, q.Issuer, day
		as = append(as, a)
	}
	return as, nil
}

// encodeAdjustment encodes the fields that are not in the key or the place.
func encodeAdjustment(a store.Adjustment) string {
	return fmt.Sprintf("%s %d %s", formatTime(a.Made), a.Quantity, formatList([]string{a.Client, a.Product, a.Reason, a.Author}))
}

func decodeAdjustment(text string) (a store.Adjustment, err error) {
	made, rest, _ := strings.Cut(text, " ")
	quantity, what, _ := strings.Cut(rest, " ")
	if a.Made, err = parseTime(made); err != nil {
		return a, err
	}
	if a.Quantity, err = strconv.ParseInt(quantity, 10, 64); err != nil {
		return a, err
	}

	var names []string
	if err := json.Unmarshal([]byte(what), &names); err != nil {
		return a, err
	}
	if len(names) != 4 || a.Quantity == 0 {
		return a, errors.New("it does not name a quantity, a client, a product, a reason and an author")
	}
	a.Client, a.Product, a.Reason, a.Author = names[0], names[1], names[2], names[3]
	return a, nil
}

// ForgetUsage implements [store.Usage].
func (s *Store) ForgetUsage(ctx context.Context, before store.Day) error {
	if before > store.DayOf(time.Now())-store.LateDays-2 {
		return fmt.Errorf("redis: the day %v still accepts counts", before)
	}

	all, err := s.members(ctx, "series")
	if err != nil {
		return err
	}
	for _, series := range all {
		// Each script forgets only some data, because the server waits for it.
		if err := s.runAll(ctx, forget, series, int(before), forgetBatch); err != nil {
			return err
		}
	}
	return nil
}
