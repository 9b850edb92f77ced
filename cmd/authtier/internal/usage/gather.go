package usage

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/authtier/authtier/store"
)

// maxDays limits a page. Each day is drawn for each product.
const maxDays = 3 * 366

// A bill holds the use that a page shows, added up by product and day, and by client and
// product. Its size does not grow with clients times days.
type bill struct {
	q           store.Query
	complete    time.Time
	products    []*productUse
	clients     []*clientUse
	adjustments []store.Adjustment

	byName map[string]*productUse
}

// A productUse is the use of one product by all clients.
type productUse struct {
	name, label        string
	quantity, adjusted int64
	days               []dayUse // one for each day of the query
}

// A dayUse is the use of one day. Adjustments upwards and downwards are apart, because
// both can be made on one day, for different clients.
type dayUse struct {
	quantity, raised, lowered int64
}

// counted returns what was counted. It is a float64, because the sums of a report are
// capped and their difference may not fit.
func (d dayUse) counted() float64 {
	return float64(d.quantity) - float64(d.raised) - float64(d.lowered)
}

func (d dayUse) adjusted() int64 { return store.Sum(d.raised, d.lowered) }

// A clientUse is the use of all products by one client.
type clientUse struct {
	name     string
	products []*productUse // without days
}

// gather reads the report on q, which must be by day.
func gather(ctx context.Context, db store.Usage, q store.Query) (*bill, error) {
	report, err := db.Report(ctx, q)
	if err != nil {
		return nil, err
	}
	b := &bill{q: q, complete: report.CompleteThrough, byName: map[string]*productUse{}}
	for r, err := range report.Rows() {
		if err != nil {
			return nil, err
		}
		b.add(r)
	}
	b.sort()
	b.adjustments, err = db.Adjustments(ctx, q)
	return b, err
}

// sort puts products in the order of their titles, everywhere alike.
func (b *bill) sort() {
	byTitle := func(x, y *productUse) int {
		return cmp.Or(cmp.Compare(x.title(), y.title()), cmp.Compare(x.name, y.name))
	}
	slices.SortFunc(b.products, byTitle)
	for _, c := range b.clients {
		for _, p := range c.products {
			p.label = b.byName[p.name].label // clients may have counted under another label
		}
		slices.SortFunc(c.products, byTitle)
	}
}

// add adds a row. Rows are ordered by client, product and day.
func (b *bill) add(r store.Row) {
	p := b.byName[r.Product]
	if p == nil {
		p = &productUse{name: r.Product, days: make([]dayUse, b.q.To-b.q.From+1)}
		b.byName[r.Product] = p
		b.products = append(b.products, p)
	}
	p.count(r)

	d := &p.days[r.Day-b.q.From]
	d.quantity = store.Sum(d.quantity, r.Quantity)
	d.raised = store.Sum(d.raised, max(r.Adjusted, 0))
	d.lowered = store.Sum(d.lowered, min(r.Adjusted, 0))

	if n := len(b.clients); n == 0 || b.clients[n-1].name != r.Client {
		b.clients = append(b.clients, &clientUse{name: r.Client})
	}
	c := b.clients[len(b.clients)-1]
	if n := len(c.products); n == 0 || c.products[n-1].name != r.Product {
		c.products = append(c.products, &productUse{name: r.Product})
	}
	c.products[len(c.products)-1].count(r)
}

func (p *productUse) count(r store.Row) {
	p.label = max(p.label, r.Label)
	p.quantity = store.Sum(p.quantity, r.Quantity)
	p.adjusted = store.Sum(p.adjusted, r.Adjusted)
}

// title returns the label, or the name of a product without one.
func (p *productUse) title() string {
	if p.label != "" {
		return p.label
	}
	return p.name
}

// busiest returns the index of the day with the largest quantity.
func (p *productUse) busiest() int {
	n := 0
	for i, d := range p.days {
		if d.quantity > p.days[n].quantity {
			n = i
		}
	}
	return n
}
