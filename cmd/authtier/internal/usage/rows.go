package usage

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/authtier/authtier/store"
)

// A row is a row of a report, as JSON.
type row struct {
	Client   string `json:"client"`
	Product  string `json:"product"`
	Label    string `json:"label"`
	Day      string `json:"day,omitempty"`
	Quantity int64  `json:"quantity"`
	Adjusted int64  `json:"adjusted"`
}

func newRow(q store.Query, r store.Row) row {
	out := row{Client: r.Client, Product: r.Product, Label: r.Label, Quantity: r.Quantity, Adjusted: r.Adjusted}
	if q.ByDay {
		out.Day = r.Day.String()
	}
	return out
}

// writeJSON writes the report on q as one object. It writes row by row, because a report
// may be too long for memory.
func writeJSON(ctx context.Context, w io.Writer, db store.Usage, q store.Query) error {
	report, err := db.Report(ctx, q)
	if err != nil {
		return err
	}

	head, err := json.Marshal(struct {
		API      string    `json:"api"`
		Issuer   string    `json:"issuer"`
		From     string    `json:"from"`
		To       string    `json:"to"`
		Complete time.Time `json:"complete_through"`
	}{q.API, q.Issuer, q.From.String(), q.To.String(), report.CompleteThrough})
	if err != nil {
		return err
	}

	// The writer keeps its first error, which Flush returns.
	out := bufio.NewWriter(w)
	out.Write(head[:len(head)-1])
	out.WriteString(`,"rows":[`)
	separator := "\n"
	for r, err := range report.Rows() {
		if err != nil {
			return err
		}
		line, err := json.Marshal(newRow(q, r))
		if err != nil {
			return err
		}
		out.WriteString(separator)
		out.Write(line)
		separator = ",\n"
	}
	out.WriteString("]}\n")
	return out.Flush()
}

// writeCSV writes the report on q with a header, row by row. The columns are those of the
// partner's report. Numbers are not escaped, because they may be negative.
func writeCSV(ctx context.Context, w io.Writer, db store.Usage, q store.Query) error {
	report, err := db.Report(ctx, q)
	if err != nil {
		return err
	}

	// The writer keeps its first error.
	out := csv.NewWriter(w)
	columns := []string{"client_id", "product", "label", "quantities", "adjusted"}
	if q.ByDay {
		columns = append(columns, "day")
	}
	out.Write(columns)
	for r, err := range report.Rows() {
		if err != nil {
			return err
		}
		line := []string{asText(r.Client), asText(r.Product), asText(r.Label), strconv.FormatInt(r.Quantity, 10), strconv.FormatInt(r.Adjusted, 10)}
		if q.ByDay {
			line = append(line, r.Day.String())
		}
		out.Write(line)
	}
	out.Flush()
	return out.Error()
}

// asText returns a cell that spreadsheets show unchanged. They would run a cell that
// begins with one of these characters, or with its full-width form, as a formula. An
// apostrophe in front prevents that.
func asText(cell string) string {
	first, _ := utf8.DecodeRuneInString(cell)
	if cell != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", first) {
		return "'" + cell
	}
	return cell
}
