package usage

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/authtier/authtier/store"
)

//go:embed page.css
var style string

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// policy forbids scripts, every request of the page, and every style but its own.
var policy = func() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
}()

// A page is the data of the template. Names in it are not escaped yet.
type page struct {
	PlotHeight int
	Policy     string
	Style      template.CSS

	API, Issuer, Client string
	Period              string
	Complete            string
	Incomplete          bool // counts of some day may be missing

	Charts      []chart
	HasAdjusted bool
	Products    []productRow
	Clients     []clientRows
	Flat        bool // each client has one row, because there is one product
	Days        []dayRow
	Adjustments []adjustmentRow
}

type productRow struct {
	Title              string
	Quantity, Adjusted string
	Busiest, Most      string
}

type clientRows struct {
	Name     string
	Products []productRow
}

type dayRow struct {
	Day        string
	Quantities []string // by product
}

type adjustmentRow struct {
	Day, Client, Product, Quantity, Reason string
}

// writeHTML writes the report on q, which must be by day, as a page for people.
func writeHTML(ctx context.Context, w io.Writer, db store.Usage, q store.Query) error {
	b, err := gather(ctx, db, q)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	if err := pageTemplate.Execute(out, newPage(b)); err != nil {
		return err
	}
	return out.Flush()
}

func newPage(b *bill) *page {
	q := b.q
	p := &page{
		PlotHeight: plotHeight, Policy: policy, Style: template.CSS(style),
		API: q.API, Issuer: q.Issuer, Client: q.Client, Period: period(q),
		Complete:   b.complete.Format("2 January 2006, 15:04 UTC"),
		Incomplete: open(q, b.complete) != nil,
		Flat:       len(b.products) == 1,
	}

	for i, use := range b.products {
		p.Charts = append(p.Charts, newChart(i+1, use, q, b.complete))
		row := newProductRow(use)
		row.Busiest, row.Most = "–", "–"
		if n := use.busiest(); use.days[n].quantity > 0 {
			row.Busiest, row.Most = longDay(q.From+store.Day(n)), minus(humanize.Comma(use.days[n].quantity))
		}
		p.Products = append(p.Products, row)
	}
	for _, c := range b.clients {
		rows := clientRows{Name: c.name}
		for _, use := range c.products {
			rows.Products = append(rows.Products, newProductRow(use))
		}
		p.Clients = append(p.Clients, rows)
	}

	p.Days = dayRows(b)
	slices.SortStableFunc(b.adjustments, func(x, y store.Adjustment) int { return cmp.Compare(x.Day, y.Day) })
	for _, a := range b.adjustments {
		p.HasAdjusted = true
		p.Adjustments = append(p.Adjustments, adjustmentRow{a.Day.Midnight().Format("2 Jan 2006"), a.Client, b.titleOf(a.Product), minus(signed(a.Quantity)), a.Reason})
	}
	return p
}

func newProductRow(use *productUse) productRow {
	return productRow{Title: use.title(), Quantity: minus(humanize.Comma(use.quantity)), Adjusted: minus(signed(use.adjusted))}
}

// minus returns a number with the sign that books have in place of a hyphen.
func minus(number string) string { return strings.ReplaceAll(number, "-", "\u2212") }

// period returns the days of a query.
func period(q store.Query) string {
	if q.From == q.To {
		return longDay(q.From)
	}
	return longDay(q.From) + " to " + longDay(q.To)
}

// titleOf returns the title of a product. One that is only in adjustments has none.
func (b *bill) titleOf(product string) string {
	if use := b.byName[product]; use != nil {
		return use.title()
	}
	return product
}

// dayRows returns the figures of the charts.
func dayRows(b *bill) []dayRow {
	if len(b.products) == 0 {
		return nil
	}
	rows := make([]dayRow, b.q.To-b.q.From+1)
	for i := range rows {
		rows[i].Day = (b.q.From + store.Day(i)).String()
		for _, use := range b.products {
			rows[i].Quantities = append(rows[i].Quantities, minus(humanize.Comma(use.days[i].quantity)))
		}
	}
	return rows
}
