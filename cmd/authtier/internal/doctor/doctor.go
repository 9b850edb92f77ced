// Package doctor is the command authtier doctor. It looks for faults of an installation,
// and changes nothing.
package doctor

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/backend"
	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/middleware/idp"
)

// defaultUsageDir is the folder in which authtier serve counts.
const defaultUsageDir = "auth.usage"

// A Parser returns the configuration for one value of --trust-issuer.
type Parser func(value string) (idp.Config, error)

// Command returns the command doctor. parse reads the values of --trust-issuer. If it is
// nil, they have the form https://ISSUER,AUDIENCE[,AUDIENCE...].
func Command(parse Parser) *cobra.Command {
	if parse == nil {
		parse = parsePlain
	}

	var f backend.Flags
	var usageDir string
	var trust []string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for faults of the store, the keys and the records",
		Long: `Look for faults of the store, the keys and the records.

Each line is a finding: "ok"; "warning" for something that may be intended or will become
a fault; or "fault" for something that does not work. The exit status is 1 if there is a
fault. The command changes nothing and prints no secret. It may run beside servers.`,
		Args: cobra.NoArgs,
		RunE: cli.Run(func(cmd *cobra.Command, _ []string) error {
			if err := cli.CheckOutput(cmd); err != nil {
				return err
			}
			trusted, err := parseAll(parse, trust)
			if err != nil {
				return err
			}
			if _, err := f.SQLiteFile(cmd); err != nil { // for its check of --store
				return err
			}
			e := newExamination(cmd, &f)
			e.usageDir, e.trusted = usageDir, trusted
			return e.report(cmd)
		}),
	}

	flags := cmd.Flags()
	f.AddStore(flags)
	f.AddKeyFile(flags)
	f.AddIssuer(flags)
	flags.StringVar(&usageDir, "usage-dir", defaultUsageDir, "the folder of the journal of usage")
	flags.StringArrayVar(&trust, "trust-issuer", nil, "a provider whose tokens the server accepts, as for authtier serve; may be repeated")
	cli.Env(flags, "usage-dir", "trust-issuer")
	cli.AddOutput(cmd)
	return cmd
}

// parseAll reads the values of --trust-issuer. Blanks separate those of the variable.
func parseAll(parse Parser, values []string) (all []idp.Config, err error) {
	for value := range strings.FieldsSeq(strings.Join(values, " ")) {
		cfg, err := parse(value)
		if err == nil && len(cfg.Issuers) == 0 {
			err = fmt.Errorf("it names no issuer")
		}
		if err != nil {
			return nil, cli.Usagef("--trust-issuer %q: %w", value, err)
		}
		all = append(all, cfg)
	}
	return all, nil
}

// parsePlain reads the form https://ISSUER,AUDIENCE[,AUDIENCE...].
func parsePlain(value string) (idp.Config, error) {
	parts := strings.Split(value, ",")
	if len(parts) < 2 || !strings.Contains(parts[0], "://") {
		return idp.Config{}, fmt.Errorf("expected https://ISSUER,AUDIENCE[,AUDIENCE...]")
	}
	return idp.Config{Issuers: parts[:1], Audience: parts[1:]}, nil
}
