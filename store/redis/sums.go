package redis

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/authtier/authtier/store"
)

// sums are rows whose quantities do not include the adjustments yet. The order in which
// they are added up therefore makes no difference.
type sums map[rowKey]store.Row

type rowKey struct {
	client, product string
	day             store.Day
}

// put adds r, which is of the given day, to the sums if q includes it.
func (m sums) put(q store.Query, day store.Day, r store.Row) {
	if q.Client != "" && r.Client != q.Client {
		return
	}
	if q.ByDay {
		r.Day = day
	}
	m.addRow(r)
}

func (m sums) addRow(r store.Row) {
	k := rowKey{r.Client, r.Product, r.Day}
	old := m[k]
	r.Label = max(r.Label, old.Label)
	r.Quantity = store.Sum(r.Quantity, old.Quantity)
	r.Adjusted = store.Sum(r.Adjusted, old.Adjusted)
	m[k] = r
}

func (m sums) add(other sums) {
	for _, r := range other {
		m.addRow(r)
	}
}

// rows yields the rows ordered by client, product and day.
func (m sums) rows(yield func(store.Row, error) bool) {
	keys := slices.SortedFunc(maps.Keys(m), func(a, b rowKey) int {
		return cmp.Or(cmp.Compare(a.client, b.client), cmp.Compare(a.product, b.product), cmp.Compare(a.day, b.day))
	})
	for _, k := range keys {
		r := m[k]
		r.Quantity = store.Sum(r.Quantity, r.Adjusted)
		if !yield(r, nil) {
			return
		}
	}
}

// count adds a count if it is not zero.
func (m sums) count(q store.Query, day store.Day, text string) error {
	r, err := decodeCount(text)
	if err == nil && r.Quantity > 0 {
		m.put(q, day, r)
	}
	return err
}

func decodeCount(text string) (r store.Row, err error) {
	total, what, _ := strings.Cut(text, " ")
	if r.Quantity, err = strconv.ParseInt(total, 10, 64); err != nil {
		return r, err
	}
	var names []string
	if err := json.Unmarshal([]byte(what), &names); err != nil {
		return r, err
	}
	if len(names) != 3 || r.Quantity < 0 {
		return r, errors.New("it does not name a client, a product and a label")
	}
	r.Client, r.Product, r.Label = names[0], names[1], names[2]
	return r, nil
}
