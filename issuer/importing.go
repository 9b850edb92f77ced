package issuer

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/authtier/authtier/store"
)

const (
	maxKey          = 8192 // size in bytes of a header value
	maxSecretImport = 6000 // in base64 it takes 8000, which leaves room for the client's ID
)

// minSecret is the size in bytes below which a key or secret needs AllowWeak. Records
// hold a SHA-256 digest, which does not protect a secret that can be guessed.
const minSecret = 16

// An ImportedKey is an API key that was made elsewhere, for [Issuer.ImportAPIKey].
type ImportedKey struct {
	ID     string // of the record; may be shown and logged
	Client string // the client that the key belongs to
	Key    string `json:"-"`

	// AllowWeak allows a key of fewer than 16 bytes. Attempts with keys are not
	// throttled, so a key that can be guessed will be.
	AllowWeak bool
}

// Format writes k without its key, for every verb.
func (k ImportedKey) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "imported API key %q of client %q", k.ID, k.Client)
}

// LogValue returns k without its key.
func (k ImportedKey) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(k)) }

// ImportAPIKey returns the record of a key that was made elsewhere. The key never
// expires, unless you set Expires in the record.
//
// ImportAPIKey returns an error if ID, Client or Key is empty or the ID equals the key.
// It returns an error if the key is too long, too weak or cannot be sent in a header.
// It also returns an error if the key looks like a mistyped one of this issuer, because
// the issuer refuses such a key without asking the store. The error does not show the
// key.
//
// If only the SHA-256 digest of a key is known, use [store.ParseDigest] to make its
// record.
func (i *Issuer) ImportAPIKey(k ImportedKey) (store.APIKey, error) {
	errs := []error{named("ID", k.ID), named("Client", k.Client), importable("key", k.ID, k.Key, maxKey, k.AllowWeak)}
	if !headerText(k.Key) {
		errs = append(errs, errors.New("the key holds what no header does: expected printable ASCII, and no space at either end"))
	}
	if i.mistypedKey(k.Key) {
		errs = append(errs, fmt.Errorf("the key begins with %s_ and has another checksum: it is mistyped, or cut off", i.keyPrefix))
	}
	if err := errors.Join(errs...); err != nil {
		return store.APIKey{}, fmt.Errorf("issuer: ImportAPIKey: %w", err)
	}
	return store.APIKey{ID: k.ID, Client: k.Client, Digest: store.DigestOf(k.Key), Created: created()}, nil
}

// An ImportedSecret is a client secret that was made elsewhere, for [ImportSecret].
type ImportedSecret struct {
	ID     string // of the record; may be shown and logged
	Secret string `json:"-"`

	// AllowWeak allows a secret of fewer than 16 bytes.
	AllowWeak bool
}

// Format writes s without the secret, for every verb.
func (s ImportedSecret) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "imported secret %q", s.ID) }

// LogValue returns s without the secret.
func (s ImportedSecret) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(s)) }

// ImportSecret returns the record of a client secret that was made elsewhere, as
// [Issuer.ImportAPIKey] does for a key. It returns an error if the ID or the secret is
// empty or they are equal. It also returns an error if the secret is too long, too weak
// or cannot be sent with Basic.
func ImportSecret(s ImportedSecret) (store.Secret, error) {
	errs := []error{named("ID", s.ID), importable("secret", s.ID, s.Secret, maxSecretImport, s.AllowWeak)}
	if !basicText(s.Secret) {
		errs = append(errs, errors.New("the secret holds what Basic cannot carry: expected UTF-8 without control characters"))
	}
	if err := errors.Join(errs...); err != nil {
		return store.Secret{}, fmt.Errorf("issuer: ImportSecret: %w", err)
	}
	return store.Secret{ID: s.ID, Digest: store.DigestOf(s.Secret), Created: created()}, nil
}

func named(what, name string) error {
	if name == "" {
		return fmt.Errorf("the %s is empty", what)
	}
	return nil
}

// importable returns an error if a secret with that ID must not be imported.
func importable(what, id, secret string, most int, allowWeak bool) error {
	switch {
	case secret == "":
		return fmt.Errorf("there is no %s", what)
	case secret == id:
		return fmt.Errorf("the %s equals its ID, which may be shown and logged", what)
	case len(secret) < minSecret && !allowWeak:
		return fmt.Errorf("the %s has %d bytes, expected at least %d unless AllowWeak is set", what, len(secret), minSecret)
	case len(secret) > most:
		return fmt.Errorf("the %s has %d bytes, expected at most %d", what, len(secret), most)
	}
	return nil
}

// headerText reports whether a header can carry s unchanged.
func headerText(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return !strings.HasPrefix(s, " ") && !strings.HasSuffix(s, " ")
}

// basicText reports whether Basic can carry s.
func basicText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}
