package meter_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"os"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
	"github.com/authtier/authtier/store/meter"
)

// exampleAPI is the issuer of the clients that are billed.
const exampleAPI = "https://api.example.com"

// exampleKeys is a validator that knows the API key of one client.
var exampleKeys = middleware.ValidatorFunc(func(_ context.Context, c middleware.Credential) (*middleware.Identity, error) {
	if c.Secret != "acme-key" {
		return nil, errorsx.CredentialsIncorrect
	}
	return &middleware.Identity{Issuer: exampleAPI, Client: "acme"}, nil
})

// exampleReport prints the report of today.
func exampleReport(usage *meter.Meter) {
	today := store.DayOf(time.Now())
	report, err := usage.Report(context.Background(), store.Query{Issuer: exampleAPI, API: "maps", From: today - 1, To: today})
	if err != nil {
		log.Fatal(err)
	}
	for row, err := range report.Rows() {
		fmt.Println(row.Client, row.Label, row.Quantity, err)
	}
}

// A report has every use that was admitted so far, and no refused one.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "usage")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	usage, err := meter.Open(context.Background(), dir, memory.New(), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer usage.Close() // records the last counts
	tile, err := usage.Product("maps", "tile", "map tiles")
	if err != nil {
		log.Fatal(err)
	}

	guard := middleware.Chain(middleware.APIKey(exampleKeys, nil), middleware.Usage(tile, nil))
	for _, key := range []string{"acme-key", "guess", "acme-key"} {
		r := httptest.NewRequest("GET", "/tiles/7", nil)
		r.Header.Set("X-API-KEY", key)
		_, err := middleware.Check(r, guard)
		fmt.Println(err)
	}
	exampleReport(usage)
	// Output:
	// <nil>
	// AUTH-1: The credentials provided are incorrect
	// <nil>
	// acme map tiles 2 <nil>
}

// A meter in memory is for tests. A day that ended long ago cannot be counted on.
func ExampleNew() {
	usage := meter.New(memory.New())
	defer usage.Close()
	tile, err := usage.Product("maps", "tile", "map tiles")
	if err != nil {
		log.Fatal(err)
	}

	today := store.DayOf(time.Now())
	for _, day := range []store.Day{today, today - store.LateDays - 2} {
		add, err := tile.Counter(int(day), exampleAPI, "acme")
		if err == nil {
			err = add(5)
		}
		fmt.Println(err)
	}
	exampleReport(usage)
	// Output:
	// <nil>
	// meter: the day accepts no more counts
	// acme map tiles 5 <nil>
}
