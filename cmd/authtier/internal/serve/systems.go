package serve

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/backend"
	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/issuer/partner"
	"github.com/authtier/authtier/issuer/session"
	"github.com/authtier/authtier/middleware/idp"
	"github.com/authtier/authtier/store/meter"
)

// openStore opens the store. It makes neither a store nor a key file nor a signing key.
func (t *site) openStore(ctx context.Context, cmd *cobra.Command) error {
	if err := t.CheckKeyFile(); err != nil {
		return err
	}
	db, err := t.Open(ctx, cmd)
	if err != nil {
		return err
	}
	t.db = db
	t.onClose(db.Close)

	// The issuer would make a signing key in a store that has none.
	live, err := backend.LiveSigningKeys(ctx, db)
	if err == nil && len(live) == 0 {
		err = backend.ErrNoSigningKey
	}
	return err
}

func (t *site) openIssuer(ctx context.Context, cmd *cobra.Command) (err error) {
	t.iss, err = issuer.Open(ctx, t.Issuer, t.db, &issuer.Config{
		KeyFile: t.KeyFile, KeySetName: backend.KeySet, AllowPassword: t.allowPassword, BcryptCost: t.bcryptCost, Log: t.log,
	})
	if err != nil {
		return fmt.Errorf("opening the issuer with the key file %q (%s): %s", t.KeyFile, cli.Place(cmd, "key-file"), strings.TrimSuffix(strings.TrimPrefix(err.Error(), "issuer: Open: "), "?"))
	}
	t.onClose(t.iss.Close)

	if t.verifier, err = t.openTrusted(ctx, t.Issuer); err != nil {
		return err
	}
	if t.verifier != nil {
		t.onClose(t.verifier.Close)
	}
	return nil
}

// openUsage opens the journal of usage counts.
func (t *site) openUsage(ctx context.Context, cmd *cobra.Command) (err error) {
	if err := checkFolder(t.usageDir); err != nil {
		return fmt.Errorf("%s: %w: give a folder that this user can write to", cli.Place(cmd, "usage-dir"), err)
	}
	t.usage, err = meter.Open(ctx, t.usageDir, t.db, &meter.Config{Log: t.log})
	if err != nil {
		return fmt.Errorf("%s: %w: expected a folder that only this user can write to, in a folder that exists", cli.Place(cmd, "usage-dir"), err)
	}
	t.onClose(t.usage.Close)
	return nil
}

// checkFolder refuses an existing folder in which no file can be made. The meter would
// start, and then refuse the requests that it cannot count.
func checkFolder(dir string) error {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil // for the meter to make or refuse
	}
	f, err := os.CreateTemp(dir, ".writable-*.usage.new") // a name that servers ignore
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// openSystems makes the systems that have nothing to close.
func (t *site) openSystems(context.Context, *cobra.Command) (err error) {
	t.health = &health{keys: t.db}
	if t.sessions, err = session.New(t.iss, t.db, &session.Config{Timeout: t.sessionTimeout}); err != nil {
		return err
	}
	t.partners, err = partner.New(t.iss, t.usage, nil)
	return err
}

// openTrusted fetches the keys of the trusted issuers. It returns nil if there are none.
func (s *settings) openTrusted(ctx context.Context, own string) (*idp.Verifier, error) {
	if len(s.trusted) == 0 {
		return nil, nil
	}
	for n := range s.trusted {
		if slices.Contains(s.trusted[n].Issuers, own) {
			return nil, cli.Usagef("--trust-issuer: %s is this server itself, whose tokens are accepted anyway", own)
		}
		s.trusted[n].Log = s.log
	}

	v, err := idp.Open(ctx, s.trusted...)
	if err != nil {
		return nil, fmt.Errorf("--trust-issuer: the keys of a provider cannot be fetched, so check its URL and the network: %s", strings.TrimPrefix(err.Error(), "idp: Open: "))
	}
	return v, nil
}
