// Package usage is the command authtier usage. It reports, corrects and exports the use
// that a meter has counted.
package usage

import (
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/authtier/authtier/cmd/authtier/internal/backend"
	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/store"
)

// Command returns the command usage with its subcommands.
func Command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "usage",
		Short: "Report, correct and export the use of APIs",
	}
	cli.Group(cmd)

	var f backend.Flags
	f.AddStore(cmd.PersistentFlags())
	f.AddIssuer(cmd.PersistentFlags())
	cmd.AddCommand(reportCommand(&f), adjustCommand(&f), adjustmentsCommand(&f), exportCommand(&f))
	return cmd
}

// A selection says which use a command is about.
type selection struct {
	api, from, to, client string
}

func (s *selection) add(flags *pflag.FlagSet) {
	flags.StringVar(&s.api, "api", backend.UsageAPI, "the API whose use is counted")
	flags.StringVar(&s.from, "from", "", "the first UTC day, as YYYY-MM-DD (default 29 days before --to)")
	flags.StringVar(&s.to, "to", "", "the last UTC day, as YYYY-MM-DD (default today)")
	flags.StringVar(&s.client, "client", "", "only the use of this client")
}

// read returns the query of a command line.
func (s *selection) read(cmd *cobra.Command, f *backend.Flags) (store.Query, error) {
	if err := f.CheckIssuer(cmd); err != nil {
		return store.Query{}, err
	}
	return s.query(f.Issuer, time.Now())
}

// query returns the query that the flags describe.
func (s *selection) query(issuer string, now time.Time) (store.Query, error) {
	q := store.Query{API: s.api, Issuer: issuer, Client: s.client, To: store.DayOf(now)}
	var err error
	if s.to != "" {
		if q.To, err = parseDay("to", s.to); err != nil {
			return q, err
		}
	}

	q.From = q.To - 29
	if s.from != "" {
		if q.From, err = parseDay("from", s.from); err != nil {
			return q, err
		}
	}

	switch {
	case s.api == "":
		return q, cli.Usagef("--api is empty, expected the name of an API")
	case q.To < q.From:
		return q, cli.Usagef("--to is %v, which is before --from, %v", q.To, q.From)
	}
	if err := q.Check(); err != nil {
		return q, cli.Usagef("%w", err)
	}
	return q, nil
}

// parseDay reads a day of the flag with that name.
func parseDay(flag, text string) (store.Day, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return 0, cli.Usagef("--%s %q: expected a day such as 2026-01-31", flag, text)
	}
	return store.DayOf(t), nil
}

// missing returns an error that names the required flags that are empty.
func missing(cmd *cobra.Command, names ...string) error {
	var empty []string
	for _, name := range names {
		if cmd.Flags().Lookup(name).Value.String() == "" {
			empty = append(empty, "--"+name)
		}
	}
	switch len(empty) {
	case 0:
		return nil
	case 1:
		return cli.Usagef("%s is missing", empty[0])
	}
	return cli.Usagef("%s are missing", strings.Join(empty, ", "))
}
