package issuer

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/authtier/authtier/store"
)

const (
	maxKey          = 8192 // bytes of a header's value
	maxSecretImport = 6000 // of which Basic makes 8000 with base64, and leaves some for the client's ID
)

// ImportAPIKey returns the record of a key that was made elsewhere, which never
// expires unless the record is made to. It is an error if no request could carry
// the key, or if it looks like a mistyped one of this issuer's own, which is
// refused without a look into the store. The error does not repeat the key.
//
// Keys are not throttled: one that could be guessed will be.
//
// Of keys whose SHA-256 alone is known, [store.ParseDigest] reads it for a record.
func (i *Issuer) ImportAPIKey(id, client, key string) (store.APIKey, error) {
	err := errors.Join(named("ID", id), named("client", client), importable(key, maxKey))
	switch {
	case err != nil:
	case !headerText(key):
		err = errors.New("the key holds what no header does: expected printable ASCII, and no space at either end")
	case i.mistypedKey(key):
		err = fmt.Errorf("the key begins with %s_ and has another checksum: it is mistyped, or cut off", i.keyPrefix)
	}
	if err != nil {
		return store.APIKey{}, fmt.Errorf("issuer: ImportAPIKey: %w", err)
	}
	return store.APIKey{ID: id, Client: client, Digest: store.DigestOf(key), Created: created()}, nil
}

// ImportSecret returns the record of a client's secret that was made elsewhere,
// as [Issuer.ImportAPIKey] does of a key. It is an error if Basic authentication
// could not carry the secret.
func ImportSecret(id, secret string) (store.Secret, error) {
	err := errors.Join(named("ID", id), importable(secret, maxSecretImport))
	if err == nil && !basicText(secret) {
		err = errors.New("the secret holds what Basic cannot carry: expected UTF-8 without control characters")
	}
	if err != nil {
		return store.Secret{}, fmt.Errorf("issuer: ImportSecret: %w", err)
	}
	return store.Secret{ID: id, Digest: store.DigestOf(secret), Created: created()}, nil
}

func named(what, name string) error {
	if name == "" {
		return fmt.Errorf("the %s is empty", what)
	}
	return nil
}

func importable(secret string, most int) error {
	switch {
	case secret == "":
		return errors.New("there is no secret")
	case len(secret) > most:
		return fmt.Errorf("the secret has %d bytes, expected at most %d", len(secret), most)
	}
	return nil
}

// headerText reports whether a header's value arrives as s.
func headerText(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return s[0] != ' ' && s[len(s)-1] != ' '
}

func basicText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}
