package usage

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/backend"
	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/store"
)

func adjustmentsCommand(f *backend.Flags) *cobra.Command {
	var s selection
	cmd := &cobra.Command{
		Use:   "adjustments",
		Short: "List the adjustments of a period",
		Args:  cli.Args(),
		RunE: cli.Run(func(cmd *cobra.Command, _ []string) error {
			q, err := s.read(cmd, f)
			if err != nil {
				return err
			}
			return f.WithStore(cmd, func(ctx context.Context, db backend.Store) error { return listAdjustments(ctx, cmd, db, q) })
		}),
	}
	s.add(cmd.Flags())
	cli.AddOutput(cmd)
	return cmd
}

// An adjustment is a correction, as JSON.
type adjustment struct {
	Key      string    `json:"key"`
	Day      string    `json:"day"`
	Client   string    `json:"client"`
	Product  string    `json:"product"`
	Quantity int64     `json:"quantity"`
	Reason   string    `json:"reason"`
	Author   string    `json:"author"`
	Made     time.Time `json:"made"`
}

func listAdjustments(ctx context.Context, cmd *cobra.Command, db store.Usage, q store.Query) error {
	stored, err := db.Adjustments(ctx, q)
	if err != nil {
		return err
	}

	all := []adjustment{} // not nil, so that JSON has a list
	t := &table{columns: []column{
		{title: "KEY"}, {title: "DAY"}, {title: "CLIENT"}, {title: "PRODUCT"}, {"QUANTITY", true}, {title: "MADE"}, {title: "AUTHOR"}, {title: "REASON"},
	}}
	for _, a := range stored {
		all = append(all, adjustment{a.Key, a.Day.String(), a.Client, a.Product, a.Quantity, a.Reason, a.Author, a.Made.UTC()})
		t.rows = append(t.rows, []string{
			cli.Printable(a.Key), a.Day.String(), cli.Printable(a.Client), cli.Printable(a.Product), signed(a.Quantity),
			a.Made.UTC().Format("2006-01-02 15:04"), cli.Printable(a.Author), cli.Printable(a.Reason),
		})
	}
	return cli.Print(cmd, all, func(w io.Writer) {
		if len(all) == 0 {
			fmt.Fprintln(w, "No adjustments in this period.")
			return
		}
		t.write(w, 0) // w keeps what it is given in memory
	})
}
