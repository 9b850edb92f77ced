package usage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/backend"
	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/store"
)

func adjustCommand(f *backend.Flags) *cobra.Command {
	var a store.Adjustment
	var day string
	cmd := &cobra.Command{
		Use:   "adjust",
		Short: "Correct the use of a client on one day",
		Long: `Correct the use of a client on one day, upwards or downwards. The counts stay as they
are, and reports add the adjustment to them.

The key identifies the adjustment. Running the same command again with the same key
changes nothing, so that a command whose answer was lost can be repeated.`,
		Example: `  authtier usage adjust --key ticket-4711 --client app --product tile --day 2026-01-31 \
    --quantity -250 --reason "failed renderings" --author ada`,
		Args: cli.Args(),
		RunE: cli.Run(func(cmd *cobra.Command, _ []string) error {
			if err := f.CheckIssuer(cmd); err != nil {
				return err
			}
			err := missing(cmd, "key", "api", "client", "product", "day", "reason", "author")
			if err != nil {
				return err
			}
			if a.Day, err = parseDay("day", day); err != nil {
				return err
			}
			a.Issuer, a.Made = f.Issuer, time.Now()
			if a.Quantity == 0 {
				return cli.Usagef("--quantity is missing or 0: expected a number such as 10 or -10")
			}
			if err := a.Check(); err != nil {
				return cli.Usagef("%w", err)
			}
			return f.WithStore(cmd, func(ctx context.Context, db backend.Store) error { return adjust(ctx, cmd, db, a) })
		}),
	}

	flags := cmd.Flags()
	flags.StringVar(&a.Key, "key", "", "identifies the adjustment, so that it can be repeated safely")
	flags.StringVar(&a.API, "api", backend.UsageAPI, "the API whose use is counted")
	flags.StringVar(&a.Client, "client", "", "the client")
	flags.StringVar(&a.Product, "product", "", "the product")
	flags.StringVar(&day, "day", "", "the UTC day, as YYYY-MM-DD")
	flags.Int64Var(&a.Quantity, "quantity", 0, "what to add to the quantity, negative to subtract")
	flags.StringVar(&a.Reason, "reason", "", "why, for the customer")
	flags.StringVar(&a.Author, "author", "", "who is responsible")
	cli.AddOutput(cmd)
	return cmd
}

// An adjusted is the outcome of an adjustment, as JSON.
type adjusted struct {
	Key      string    `json:"key"`
	Quantity int64     `json:"quantity"`
	Made     time.Time `json:"made"`
	Repeated bool      `json:"repeated"` // it was stored before
	Result   int64     `json:"day_quantity"`
	Counted  int64     `json:"day_counted"`
}

// adjust stores an adjustment and prints what the report of the day is now.
func adjust(ctx context.Context, cmd *cobra.Command, db store.Store, a store.Adjustment) error {
	err := db.Adjust(ctx, a)
	if errors.Is(err, store.ErrKeyReused) {
		return fmt.Errorf("--key %q belongs to another adjustment: choose another key, or repeat that adjustment unchanged (authtier usage adjustments lists them)", a.Key)
	}
	if err != nil {
		return err
	}

	out, err := outcome(ctx, db, a)
	if err != nil {
		return fmt.Errorf("the adjustment is stored, and reading the day's use failed: %w", err)
	}
	// The product may be misspelt, and would then be on the bill as a new one.
	if out.Counted == 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "authtier: no use of product %q by client %q is counted on %v: check the spelling\n", a.Product, a.Client, a.Day)
	}
	return cli.Print(cmd, out, func(w io.Writer) {
		if out.Repeated {
			fmt.Fprintf(w, "The adjustment was stored before, on %s. Nothing has changed.\n", out.Made.Format("2006-01-02 15:04 UTC"))
		} else {
			fmt.Fprintf(w, "The adjustment is stored: %s.\n", signed(a.Quantity))
		}
		fmt.Fprintf(w, "The quantity of %v is now %s, of which %s is counted use.\n", a.Day, humanize.Comma(out.Result), humanize.Comma(out.Counted))
	})
}

// outcome reads the use of the day of a, and a as it is stored.
func outcome(ctx context.Context, db store.Store, a store.Adjustment) (adjusted, error) {
	out := adjusted{Key: a.Key, Quantity: a.Quantity, Made: a.Made.UTC()}
	q := store.Query{API: a.API, Issuer: a.Issuer, Client: a.Client, From: a.Day, To: a.Day}
	report, err := db.Report(ctx, q)
	if err != nil {
		return out, err
	}
	for r, err := range report.Rows() {
		if err != nil {
			return out, err
		}
		if r.Product == a.Product {
			out.Result, out.Counted = r.Quantity, r.Quantity-r.Adjusted
		}
	}

	// A store keeps microseconds.
	stored, err := db.Adjustments(ctx, q)
	for _, s := range stored {
		if s.Key == a.Key {
			out.Made = s.Made.UTC()
			out.Repeated = s.Made.Sub(a.Made).Abs() > time.Millisecond
		}
	}
	return out, err
}
