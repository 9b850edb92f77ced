package partner

import (
	"fmt"
	"net/http"
	"time"

	"github.com/authtier/authtier/issuer/internal/form"
	mw "github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
)

// report is the answer of usages.
type report struct {
	API     string   `json:"api"`
	Start   string   `json:"start_date"`
	End     string   `json:"end_date"`
	Clients []client `json:"clients"`
}

type client struct {
	ID       string    `json:"client_id"`
	Products []product `json:"products"`
}

type product struct {
	Name     string `json:"product"`
	Label    string `json:"label"`
	Quantity int64  `json:"quantities"`
}

// maxDays is the longest time that one report covers.
const maxDays = 366

// usages reports the caller's own use of an API, or with [UsageScope] everyone's.
func (p *Partner) usages(w http.ResponseWriter, r *http.Request, id mw.Identity) error {
	params, err := form.Query(r, "api_name", "start_date", "end_date")
	if err != nil {
		return err
	}
	for _, name := range []string{"api_name", "start_date", "end_date"} {
		if params[name] == "" {
			return form.Missing(name)
		}
	}
	q := store.Query{API: params["api_name"], Issuer: id.Issuer, Client: id.Client}
	if id.Scopes.Has(UsageScope) {
		q.Client = ""
	}
	if q.From, err = day("start_date", params["start_date"]); err != nil {
		return err
	}
	if q.To, err = day("end_date", params["end_date"]); err != nil {
		return err
	}
	if q.To < q.From || q.To-q.From >= maxDays {
		return form.Invalid("end_date", "expected the start_date or one of the 365 days after it")
	}
	rows, _, err := p.usage.Report(r.Context(), q)
	if err != nil {
		return fmt.Errorf("partner: reporting usage: %w", err)
	}
	answer := report{API: q.API, Start: params["start_date"], End: params["end_date"], Clients: []client{}}
	for row, err := range rows {
		if err != nil {
			return fmt.Errorf("partner: reporting usage: %w", err)
		}
		answer.add(row)
	}
	form.WriteJSON(w, http.StatusOK, answer)
	return nil
}

// add appends a row; they come ordered by client and product.
func (a *report) add(row store.Row) {
	if n := len(a.Clients); n == 0 || a.Clients[n-1].ID != row.Client {
		a.Clients = append(a.Clients, client{ID: row.Client})
	}
	last := &a.Clients[len(a.Clients)-1]
	last.Products = append(last.Products, product{row.Product, row.Label, row.Quantity})
}

// day returns the UTC day that a parameter names, in days since 1 January 1970.
func day(name, value string) (int, error) {
	t, err := time.Parse(time.DateOnly, value)
	if err != nil || len(value) != len(time.DateOnly) {
		return 0, form.Invalid(name, "expected a day as YYYY-MM-DD")
	}
	return mw.Day(t), nil
}
