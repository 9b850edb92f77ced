package partner

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"

	"github.com/authtier/authtier/issuer/internal/form"
	"github.com/authtier/authtier/store"
)

// An output writes a report row by row, because a report may be too long for memory. An
// error before the first byte is sent can still be answered with a refusal.
type output struct {
	*bufio.Writer
	begun bool // whether something was sent
}

func newOutput(w http.ResponseWriter) *output {
	o := &output{}
	o.Writer = bufio.NewWriterSize(writerFunc(func(b []byte) (int, error) {
		o.begun = true
		return w.Write(b)
	}), 32<<10)
	return o
}

type writerFunc func(b []byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// A product is the usage of one product by one client.
type product struct {
	Name     string  `json:"product"`
	Label    string  `json:"label"`
	Quantity int64   `json:"quantities"`
	Adjusted int64   `json:"adjusted,omitempty"` // the part that is corrections
	Days     []dayly `json:"days,omitempty"`
}

type dayly struct {
	Day      string `json:"day"`
	Quantity int64  `json:"quantities"`
	Adjusted int64  `json:"adjusted,omitempty"`
}

// json writes a report as one object. rows are ordered by client, product and day.
// Errors of the writes are not checked here, because the bufio.Writer keeps its first
// error.
func (o *output) json(q store.Query, params form.Params, rows iter.Seq2[store.Row, error]) error {
	o.text(`{"api":`, q.API, `,"start_date":`, params.Get("start_date"), `,"end_date":`, params.Get("end_date"))
	o.WriteString(`,"clients":[`)
	var last string // client
	clients, products := 0, 0

	for p, err := range byProduct(q, rows) {
		if err != nil {
			return err
		}

		// The first row of a client ends the client before it.
		if clients == 0 || p.client != last {
			if clients > 0 {
				o.WriteString(`]},`)
			}
			o.text(`{"client_id":`, p.client)
			o.WriteString(`,"products":[`)
			last, products = p.client, 0
			clients++
		}

		if products++; products > 1 {
			o.WriteByte(',')
		}
		b, err := json.Marshal(p.product)
		if err != nil {
			return err
		}
		o.Write(b)
	}

	if clients > 0 {
		o.WriteString(`]}`)
	}
	_, err := o.WriteString("]}\n")
	return err
}

// text writes pieces of JSON. Every second piece is a string that is quoted.
func (o *output) text(pieces ...string) {
	for i, piece := range pieces {
		if i%2 == 0 {
			o.WriteString(piece)
			continue
		}
		b, _ := json.Marshal(piece) // a string always has a JSON form
		o.Write(b)
	}
}

type clientProduct struct {
	client string
	product
}

// byProduct joins the rows for several days of one product.
func byProduct(q store.Query, rows iter.Seq2[store.Row, error]) iter.Seq2[clientProduct, error] {
	return func(yield func(clientProduct, error) bool) {
		var p clientProduct
		pending := false
		for row, err := range rows {
			if err != nil {
				yield(p, err)
				return
			}
			if same := pending && p.client == row.Client && p.Name == row.Product; !same {
				if pending && !yield(p, nil) {
					return
				}
				p, pending = clientProduct{client: row.Client, product: product{Name: row.Product}}, true
			}

			p.Label = max(p.Label, row.Label)
			p.Quantity = store.Sum(p.Quantity, row.Quantity)
			p.Adjusted = store.Sum(p.Adjusted, row.Adjusted)
			if q.ByDay {
				p.Days = append(p.Days, dayly{row.Day.String(), row.Quantity, row.Adjusted})
			}
		}
		if pending {
			yield(p, nil)
		}
	}
}

// asText returns a cell that spreadsheets show unchanged. They would run a cell that
// begins with one of these characters as a formula. An apostrophe in front prevents
// that.
func asText(cell string) string {
	if cell != "" && strings.IndexByte("=+-@\t\r\n", cell[0]) >= 0 {
		return "'" + cell
	}
	return cell
}

// csv writes a header and a line for each row. Names pass through asText. Numbers do
// not, because they may be negative.
func (o *output) csv(q store.Query, rows iter.Seq2[store.Row, error]) error {
	w := csv.NewWriter(io.Writer(o))
	columns := []string{"client_id", "product", "label", "quantities", "adjusted"}
	if q.ByDay {
		columns = append(columns, "day")
	}
	w.Write(columns)
	for row, err := range rows {
		if err != nil {
			return err
		}
		line := []string{asText(row.Client), asText(row.Product), asText(row.Label), strconv.FormatInt(row.Quantity, 10), strconv.FormatInt(row.Adjusted, 10)}
		if q.ByDay {
			line = append(line, row.Day.String())
		}
		w.Write(line)
	}
	w.Flush()
	return w.Error()
}
