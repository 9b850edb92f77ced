package usage

import (
	"context"
	"fmt"
	"io"
	"math"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/backend"
	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/store"
)

func reportCommand(f *backend.Flags) *cobra.Command {
	var s selection
	var byDay, bars bool
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Print how much each client has used",
		Args:  cli.Args(),
		RunE: cli.Run(func(cmd *cobra.Command, _ []string) error {
			q, err := s.read(cmd, f)
			if err != nil {
				return err
			}
			q.ByDay = byDay

			width, isTerminal := terminal(cmd.OutOrStdout())
			if !cmd.Flags().Changed("bars") {
				bars = isTerminal
			}
			return f.WithStore(cmd, func(ctx context.Context, db backend.Store) error {
				if cli.IsJSON(cmd) {
					return writeJSON(ctx, cmd.OutOrStdout(), db, q)
				}
				return writeText(ctx, cmd.OutOrStdout(), db, q, bars, width)
			})
		}),
	}
	s.add(cmd.Flags())
	cmd.Flags().BoolVar(&byDay, "by-day", false, "a row for each day")
	cmd.Flags().BoolVar(&bars, "bars", false, "draw bars (default only on a terminal)")
	cli.AddOutput(cmd)
	return cmd
}

// writeText writes the report on q for people.
func writeText(ctx context.Context, w io.Writer, db store.Usage, q store.Query, bars bool, width int) error {
	report, err := db.Report(ctx, q)
	if err != nil {
		return err
	}
	l := list{q: q, totals: map[string]*total{}}
	for r, err := range report.Rows() {
		if err != nil {
			return err
		}
		l.add(r)
	}

	fmt.Fprintf(w, "%s of %s, %v to %v (UTC)\n\n", cli.Printable(q.API), cli.Printable(q.Issuer), q.From, q.To)
	if len(l.rows) == 0 {
		fmt.Fprintln(w, "No use of this API and issuer in this period. Usage belongs to the issuer of the server that counted it: see --issuer.")
	} else if err := l.table(bars).write(w, width); err != nil {
		return err
	}

	if l.adjusted {
		fmt.Fprint(w, "\nQuantities include the adjustments. See authtier usage adjustments.\n")
	}
	_, err = fmt.Fprintf(w, "\ncomplete through %s\n", report.CompleteThrough.Format("2006-01-02 15:04:05 UTC"))
	return err
}

// A list collects the rows of a report. The largest quantity of each product must be
// known before the first bar is drawn.
type list struct {
	q        store.Query
	rows     []store.Row
	names    map[string]string // each name once, because rows repeat them
	products []string          // in the order in which they were found
	totals   map[string]*total // by product
	labels   bool              // some label differs from its product
	adjusted bool
}

// A total is the sum of a product.
type total struct {
	label              string
	quantity, adjusted int64
	largest            float64 // size of a row
	rows               int
}

func (l *list) add(r store.Row) {
	r.Client, r.Product, r.Label = l.once(r.Client), l.once(r.Product), l.once(r.Label)
	l.rows = append(l.rows, r)
	t := l.totals[r.Product]
	if t == nil {
		t = &total{}
		l.totals[r.Product] = t
		l.products = append(l.products, r.Product)
	}

	t.label = max(t.label, r.Label)
	t.quantity, t.adjusted = store.Sum(t.quantity, r.Quantity), store.Sum(t.adjusted, r.Adjusted)
	t.largest = math.Max(t.largest, math.Abs(float64(r.Quantity)))
	t.rows++
	l.labels = l.labels || r.Label != "" && r.Label != r.Product
	l.adjusted = l.adjusted || r.Adjusted != 0
}

func (l *list) once(name string) string {
	if known, ok := l.names[name]; ok {
		return known
	}
	if l.names == nil {
		l.names = map[string]string{}
	}
	l.names[name] = name
	return name
}

// table returns the rows and, after them, the sum of each product that has several.
func (l *list) table(bars bool) *table {
	t := &table{columns: []column{{title: "CLIENT"}, {title: "PRODUCT"}}}
	if l.labels {
		t.columns = append(t.columns, column{title: "LABEL"})
	}
	if l.q.ByDay {
		t.columns = append(t.columns, column{title: "DAY", number: true})
	}
	t.columns = append(t.columns, column{"QUANTITY", true})
	if l.adjusted {
		t.columns = append(t.columns, column{"ADJUSTED", true})
	}
	if bars {
		t.bars = []float64{}
	}

	for _, r := range l.rows {
		part := math.NaN()
		if largest := l.totals[r.Product].largest; largest > 0 {
			part = float64(r.Quantity) / largest
		}
		l.append(t, r.Client, r.Product, r.Label, r.Day.String(), r.Quantity, r.Adjusted, part)
	}
	for _, product := range l.products {
		if sum := l.totals[product]; sum.rows > 1 {
			l.append(t, "total", product, sum.label, "", sum.quantity, sum.adjusted, math.NaN())
		}
	}
	return t
}

// append adds a row to t, with the cells that t has columns for.
func (l *list) append(t *table, client, product, label, day string, quantity, adjusted int64, part float64) {
	cells := []string{cli.Printable(client), cli.Printable(product)}
	if l.labels {
		cells = append(cells, cli.Printable(label))
	}
	if l.q.ByDay {
		cells = append(cells, day)
	}
	cells = append(cells, humanize.Comma(quantity))
	if l.adjusted {
		cells = append(cells, signed(adjusted))
	}

	t.rows = append(t.rows, cells)
	if t.bars != nil {
		t.bars = append(t.bars, part)
	}
}
