// Package doctor is the command authtier doctor. It looks for faults of an installation,
// and changes nothing.
package doctor

import (
	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/backend"
	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/cmd/authtier/internal/trust"
)

// Command returns the command doctor.
func Command() *cobra.Command {
	var f backend.Flags
	var trustIssuers []string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check the store, the keys and the records for faults",
		Long: `Check the store, the keys and the records for faults.

Each line is a finding: "ok"; "warning" for something that may be intended or may become
a fault; or "fault" for something that does not work. The exit status is 1 if there is a
fault. The command changes nothing and prints no secret. It may run beside servers.`,
		Args: cli.Args(),
		RunE: cli.Run(func(cmd *cobra.Command, _ []string) error {
			trusted, err := trust.Read(cmd, trustIssuers)
			if err != nil {
				return err
			}
			if err := f.CheckIssuer(cmd); err != nil {
				return err
			}
			usageDir, err := f.UsageDir(cmd)
			if err != nil {
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
	f.AddUsageDir(flags)
	trust.AddFlag(flags, &trustIssuers, "a provider whose tokens the server accepts, as for authtier serve; may be repeated")
	cli.AddOutput(cmd)
	return cmd
}
