package doctor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/authtier/authtier/cmd/authtier/internal/backend"
	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/store"
)

// checkKeyFile checks that the key file is there, that only its owner can use it, and that
// it decrypts the signing keys.
func (e *examination) checkKeyFile(ctx context.Context) error {
	keys, err := e.db.SigningKeys(ctx, backend.KeySet)
	if err != nil {
		return err
	}

	if err := e.flags.CheckKeyFile(); err != nil {
		e.addError("%s", err)
		return nil
	}
	if err := e.decrypt(ctx, keys); err != nil {
		e.add(fault, "put back the newest key file of this store; if it is lost, see authtier signing-key reset --help", "a server with the key file %q does not start: %s", e.flags.KeyFile, cli.OneLine(err))
		return nil
	}
	e.add(good, "", "only its owner can use the key file %q, and it decrypts %s", e.flags.KeyFile, cli.Plural(len(keys), "signing key"))
	return nil
}

// decrypt returns an error if the key file cannot be read or does not decrypt all keys.
func (e *examination) decrypt(ctx context.Context, keys []store.SigningKey) error {
	iss, err := issuer.New(ctx, e.flags.Issuer, &keysOnly{e.db, keys}, &issuer.Config{KeyFile: e.flags.KeyFile, Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		iss.Close()
	}
	// The file was checked before the keys were asked for, and the keys were decrypted
	// before the issuer tried to make one that signs.
	if err == nil || errors.Is(err, errNoKeys) || errors.Is(err, errReadOnly) {
		return nil
	}
	return errors.New(strings.TrimPrefix(err.Error(), "issuer: New: "))
}

var (
	errNoKeys   = errors.New("the store has no signing keys")
	errReadOnly = errors.New("the examination changes nothing")
)

// keysOnly is a store with these signing keys, in which an issuer cannot make others. It
// has no revocations, because an issuer would read all of them.
type keysOnly struct {
	store.Store
	keys []store.SigningKey
}

func (k *keysOnly) SigningKeys(context.Context, string) ([]store.SigningKey, error) {
	if len(k.keys) == 0 {
		return nil, errNoKeys
	}
	return k.keys, nil
}

func (k *keysOnly) PutSigningKeys(context.Context, ...store.SigningKey) error { return errReadOnly }

func (k *keysOnly) Snapshot(context.Context) ([]store.Change, store.Cursor, error) {
	return nil, store.Cursor{}, nil
}

const (
	// waits is how long a new key is published before a running server lets it sign, with
	// some time for the server to do so.
	waits = 15 * time.Minute

	// old is the age at which a key that signs is worth a warning.
	old = 366 * 24 * time.Hour
)

// checkSigningKeys checks that one key signs, and that servers replace it.
func (e *examination) checkSigningKeys(ctx context.Context) error {
	all, err := e.db.SigningKeys(ctx, backend.KeySet)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		e.add(fault, "run authtier signing-key rotate to make one, or correct --store", "the store has no signing key, so no server starts")
		return nil
	}

	now := e.now()
	live := 0
	var signer, waiting *store.SigningKey
	for _, k := range all {
		switch {
		case k.Ended(now):
			continue
		case !k.Signs.IsZero() && (signer == nil || !k.Signs.Before(signer.Signs)):
			signer = &k
		case k.Signs.IsZero() && k.Ends.IsZero():
			waiting = &k
		}
		live++
	}

	if signer == nil {
		e.add(fault, "restart a server, which makes a key", "none of %s signs", cli.Plural(len(all), "signing key"))
		return nil
	}
	e.addSigner(signer, live, now)
	if waiting != nil {
		e.addWaiting(waiting, now)
	}
	return nil
}

func (e *examination) addSigner(signer *store.SigningKey, live int, now time.Time) {
	age := now.Sub(signer.Signs)
	what := fmt.Sprintf("%s; %q (%s) has been signing for %s", cli.Plural(live, "key"), signer.ID, signer.Alg, inWords(age))
	if age > old {
		e.add(warning, "consider authtier signing-key rotate", "%s", what)
		return
	}
	e.add(good, "", "%s", what)
}

// addWaiting tells of a key that was made to replace the one that signs.
func (e *examination) addWaiting(k *store.SigningKey, now time.Time) {
	if age := now.Sub(k.Published); age > waits {
		e.add(warning, "start a server: only a running server lets the key sign", "%q was published %s ago and does not sign yet", k.ID, inWords(age))
		return
	}
	e.add(good, "", "%q is new, and a running server will soon let it sign", k.ID)
}

// inWords returns a time in words.
func inWords(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "less than a minute"
	case d < time.Hour:
		return cli.Plural(int(d/time.Minute), "minute")
	case d < 48*time.Hour:
		return cli.Plural(int(d/time.Hour), "hour")
	}
	return cli.Plural(int(d/(24*time.Hour)), "day")
}
