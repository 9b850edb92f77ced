package usage

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/backend"
	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/store"
)

// A format is a form of an exported report.
type format struct {
	name, usage string
	write       func(ctx context.Context, w io.Writer, db store.Usage, q store.Query) error
}

var formats = []format{
	{"csv", "write a CSV file for spreadsheets; - is standard output", writeCSV},
	{"json", "write a JSON file; - is standard output", writeJSON},
	{"html", "write one HTML page with charts, for example for a bill; - is standard output", writeHTML},
}

func exportCommand(f *backend.Flags) *cobra.Command {
	var s selection
	var byDay, overwrite bool
	names := make([]string, len(formats))
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write a report to a file, as CSV, JSON or HTML",
		Long: `Write a report to a file, as CSV, JSON or HTML.

Only its owner can read the file. An existing file is replaced only with
--overwrite. The HTML page needs no other file and no network, and runs no script. It
always shows the use of each day, also without --by-day. The columns of the CSV file are
client_id, product, label, quantities, adjusted and, with --by-day, day. In JSON, client_id
is client, and quantities is quantity.`,
		Args: cli.Args(),
		RunE: cli.Run(func(cmd *cobra.Command, _ []string) error {
			format, name, err := chosen(names)
			if err != nil {
				return err
			}
			q, err := s.read(cmd, f)
			if err != nil {
				return err
			}
			q.ByDay = byDay || format.name == "html"
			if days := q.To - q.From + 1; format.name == "html" && days > maxDays {
				return cli.Usagef("--html: %d days, expected at most %d: choose --from and --to, or export CSV", days, maxDays)
			}

			// A signal must not leave a temporary file.
			ctx, stop := cli.UntilSignal(cmd)
			defer stop()
			cmd.SetContext(ctx)
			return f.WithStore(cmd, func(ctx context.Context, db backend.Store) error {
				write := func(w io.Writer) error { return format.write(ctx, w, db, q) }
				if name == "-" {
					return write(cmd.OutOrStdout())
				}
				if err := writeFile(name, overwrite, write); err != nil {
					return fmt.Errorf("--%s: %w", format.name, err)
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "written: %s\n", name)
				return nil
			})
		}),
	}

	s.add(cmd.Flags())
	for i, format := range formats {
		cmd.Flags().StringVar(&names[i], format.name, "", format.usage)
	}
	cmd.Flags().BoolVar(&byDay, "by-day", false, "a row for each day")
	cmd.Flags().BoolVar(&overwrite, "overwrite", false, "replace an existing file")
	return cmd
}

// chosen returns the one format that has a file name, and that name.
func chosen(names []string) (chosen format, name string, err error) {
	var flags []string
	for i, format := range formats {
		if names[i] != "" {
			chosen, name = format, names[i]
			flags = append(flags, "--"+format.name)
		}
	}
	switch len(flags) {
	case 0:
		return chosen, "", cli.Usagef("the file is missing: expected --csv FILE, --json FILE or --html FILE")
	case 1:
		return chosen, name, nil
	}
	return chosen, "", cli.Usagef("%s are set, expected one of them", strings.Join(flags, " and "))
}
