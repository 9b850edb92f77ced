package usage

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/sqlite"
)

const (
	testAPI    = "maps"
	testIssuer = "https://api.example.com"
	firstDay   = store.Day(20454) // 1 January 2026
)

// newStore returns an empty store and the value of --store for it.
func newStore(t testing.TB) (db *sqlite.Store, flag string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "auth.db")
	db, err := sqlite.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db, "sqlite:" + file
}

// A use is one count of a test.
type use struct {
	client, product, label string
	day                    store.Day
	quantity               int64
}

// count records uses. They are complete through the given time, or at any time if it is
// zero.
func count(t testing.TB, db store.Usage, through time.Time, uses ...use) {
	t.Helper()
	b := store.Batch{Seq: 1, Through: through, Ended: through.IsZero()}
	if through.IsZero() {
		b.Through = time.Now()
	}
	for i, u := range uses {
		b.Counts = append(b.Counts, store.Count{
			Counter: uint32(i + 1), Day: u.day, Issuer: testIssuer, Client: u.client, API: testAPI, Product: u.product, Label: u.label, Total: u.quantity,
		})
	}
	var stream store.Stream
	copy(stream[:], fmt.Sprintf("%p", &b))
	for len(b.Counts) > 0 {
		part := b
		part.Counts = b.Counts[:min(500, len(b.Counts))]
		if _, err := db.Record(t.Context(), stream, part); err != nil {
			t.Fatal(err)
		}
		b.Seq, b.Counts = b.Seq+1, b.Counts[len(part.Counts):]
	}
}

func adjustUse(t testing.TB, db store.Usage, client, product string, day store.Day, quantity int64, reason string) {
	t.Helper()
	err := db.Adjust(t.Context(), store.Adjustment{
		Key: fmt.Sprintf("%s %s %d", client, product, day), API: testAPI, Issuer: testIssuer, Client: client, Product: product, Day: day,
		Quantity: quantity, Reason: reason, Author: "ada", Made: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// run runs the command, and returns what it prints and its exit status.
func run(t testing.TB, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	root := &cobra.Command{Use: "authtier"}
	root.AddCommand(Command())
	var out, errs bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetIn(strings.NewReader(""))
	root.SetArgs(append([]string{"usage"}, args...))
	status = cli.Execute(t.Context(), root)
	return out.String(), errs.String(), status
}

// month counts a month of three products, as a customer of maps might use them.
func month(t testing.TB, db store.Usage) {
	t.Helper()
	through := (firstDay + 28).Midnight().Add(14*time.Hour + 5*time.Minute)
	var uses []use
	for d := range 29 {
		weekday := (firstDay + store.Day(d)).Midnight().Weekday()
		load := 1 + 0.25*math.Sin(float64(d)/3) + 0.02*float64(d)
		if weekday == time.Saturday || weekday == time.Sunday {
			load *= 0.45
		}
		if d == 28 {
			load *= 0.58
		}
		for i, client := range []string{"atlas-mobile", "atlas-web", "field-survey"} {
			share := []float64{1, 0.7, 0.25}[i]
			uses = append(uses, use{client, "tile", "Map tiles", firstDay + store.Day(d), int64(41_870 * load * share)})
			if i < 2 {
				uses = append(uses, use{client, "route", "Routes", firstDay + store.Day(d), int64(1_240 * load * share)})
			}
			if i == 1 && d%3 != 1 {
				uses = append(uses, use{client, "geocode", "Address searches", firstDay + store.Day(d), int64(87 * load)})
			}
		}
	}
	count(t, db, through, uses...)
	adjustUse(t, db, "atlas-web", "route", firstDay+13, -640, "Failed requests on 14 January are not billed")
	adjustUse(t, db, "atlas-mobile", "tile", firstDay+6, 18_500, "Late import of offline packages")
	adjustUse(t, db, "atlas-web", "geocode", firstDay+22, -60, "Test traffic")
}

// bound ends a context with the test, and after a time.
func bound(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
