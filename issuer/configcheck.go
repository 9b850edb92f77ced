package issuer

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/crypto/bcrypt"

	"github.com/authtier/authtier/issuer/internal/form"
	"github.com/authtier/authtier/issuer/internal/hook"
	"github.com/authtier/authtier/issuer/internal/keyring"
	"github.com/authtier/authtier/issuer/internal/password"
	"github.com/authtier/authtier/middleware/idp"
	"github.com/authtier/authtier/store"
)

var prefixForm = regexp.MustCompile(`^[a-z0-9]{1,64}$`)

// check returns everything that is wrong with the configuration of an issuer.
func (cfg *Config) check(url string, db Store) error {
	var errs []error
	if err := checkURL(url); err != nil {
		errs = append(errs, fmt.Errorf("URL %q: %w", url, err))
	}
	if hook.IsNil(db) {
		errs = append(errs, errors.New("no store"))
	} else if _, ok := db.(store.Users); cfg.Users == nil && !ok {
		errs = append(errs, errors.New("no Users, and the store has none"))
	}

	if cfg.Users != nil && hook.IsNil(cfg.Users) {
		errs = append(errs, fmt.Errorf("the Users are a nil %T", cfg.Users))
	}

	// A fault of the URL is not reported again for the audience that is made of it.
	if cfg.Audience != url && strings.ContainsFunc(cfg.Audience, unicode.IsSpace) {
		errs = append(errs, fmt.Errorf("the Audience %q holds a blank", cfg.Audience))
	}
	if !prefixForm.MatchString(cfg.Prefix) {
		errs = append(errs, fmt.Errorf("the Prefix is %.80q, expected 1 to 64 lower-case letters and digits", cfg.Prefix))
	}
	if err := form.CheckBase(cfg.Base); err != nil {
		errs = append(errs, fmt.Errorf("the Base %w", err))
	}
	if c := cfg.BcryptCost; c != 0 && (c < bcrypt.MinCost || c > password.MaxBcryptCost) {
		errs = append(errs, fmt.Errorf("BcryptCost is %d, expected %d to %d", c, bcrypt.MinCost, password.MaxBcryptCost))
	}
	if cfg.Throttle != nil && cfg.AllowUnthrottled {
		errs = append(errs, errors.New("both Throttle and AllowUnthrottled are set, expected one of them"))
	}
	return errors.Join(append(errs, cfg.checkKeys(db), cfg.checkLifetimes())...)
}

// checkKeys returns what is wrong with how the signing keys are kept.
func (cfg *Config) checkKeys(db Store) error {
	// Exactly one of these settings may be set. They are sorted, so that the error is
	// always the same.
	var ways []string
	for name, is := range map[string]bool{
		"KeyFile": cfg.KeyFile != "", "KeyVariable": cfg.KeyVariable != "", "EncryptionKey": cfg.EncryptionKey != nil,
		"Keys": cfg.Keys != nil, "OpaqueTokens": cfg.OpaqueTokens,
	} {
		if is {
			ways = append(ways, name)
		}
	}
	slices.Sort(ways)

	// AllowEphemeralKeys is not one of the ways: it only allows that there is none.
	var errs []error
	switch {
	case len(ways) == 0 && !cfg.AllowEphemeralKeys:
		errs = append(errs, errors.New("no signing keys: set KeyFile, KeyVariable or EncryptionKey for stored ones, or Keys; "+
			"OpaqueTokens needs none, and AllowEphemeralKeys accepts one that ends with the process"))
	case len(ways) > 1:
		errs = append(errs, fmt.Errorf("%s are set, expected one of them", strings.Join(ways, " and ")))
	}
	if cfg.Keys != nil && cfg.Keys.ring == nil {
		errs = append(errs, errors.New("the set of Keys has no key: NewKeySet returns a set that has one"))
	}

	if cfg.AllowReadableKeyFile && cfg.KeyFile == "" {
		errs = append(errs, errors.New("AllowReadableKeyFile is set, and KeyFile is not"))
	}
	if cfg.hasStoredKeys() {
		errs = append(errs, cfg.checkStoredKeys(db))
	} else if cfg.KeySetName != "" || cfg.SigningAlg != "" || cfg.MaxTTL != 0 {
		errs = append(errs, errors.New("KeySetName, SigningAlg or MaxTTL is set, and the signing keys are not stored"))
	}
	return errors.Join(errs...)
}

func (cfg *Config) checkStoredKeys(db Store) error {
	var errs []error
	if _, ok := db.(store.SigningKeys); !ok && !hook.IsNil(db) {
		errs = append(errs, fmt.Errorf("the store, a %T, is not a store.SigningKeys", db))
	}
	if cfg.MaxTTL < time.Second || cfg.MaxTTL > idp.MaxLifetime {
		errs = append(errs, fmt.Errorf("MaxTTL is %v, expected 1s to %v", cfg.MaxTTL, idp.MaxLifetime))
	}
	if !slices.Contains(keyring.Algs, cfg.SigningAlg) {
		errs = append(errs, fmt.Errorf("SigningAlg is %q, expected one of %v", cfg.SigningAlg, keyring.Algs))
	}
	stored := cfg.storedKeys()
	errs = append(errs, stored.CheckEncryptionKey())
	return errors.Join(errs...)
}

func (cfg *Config) checkLifetimes() error {
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for _, ttl := range []struct {
		name string
		d    time.Duration
	}{{"AccessTTL", cfg.AccessTTL}, {"RefreshTTL", cfg.RefreshTTL}, {"FamilyTTL", cfg.FamilyTTL}} {
		if ttl.d < time.Second || ttl.d%time.Second != 0 {
			fault("%s is %v, expected whole seconds", ttl.name, ttl.d)
		}
	}

	if longest := cfg.maxTTL(); cfg.AccessTTL > longest {
		fault("AccessTTL is %v, expected at most %v", cfg.AccessTTL, longest)
	}
	if cfg.FamilyTTL < cfg.RefreshTTL {
		fault("FamilyTTL is %v, less than RefreshTTL %v", cfg.FamilyTTL, cfg.RefreshTTL)
	}
	if g := cfg.AllowRefreshGrace; g != 0 && g < minRefreshGrace || g > maxRefreshGrace {
		fault("AllowRefreshGrace is %v, expected %v to %v (a number without a unit is nanoseconds)", g, minRefreshGrace, maxRefreshGrace)
	} else if g != 0 && cfg.AllowRefreshReuse {
		fault("AllowRefreshGrace is %v, and AllowRefreshReuse knows no first use", g)
	}
	return errors.Join(errs...)
}

// checkURL returns an error if raw is not an issuer URL (RFC 8414 section 2).
func checkURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return err
	case u.Scheme != "https" && !(u.Scheme == "http" && form.Loopback(u.Hostname())):
		return errors.New("expected an https URL, or http on loopback")
	case u.Hostname() == "" || u.User != nil || strings.ContainsAny(raw, "?#") || strings.HasSuffix(raw, "/"):
		return errors.New("expected a host, and neither user, query, fragment nor a last slash")
	case u.Path != "":
		if err := form.CheckBase(u.Path); err != nil {
			return fmt.Errorf("the path %w", err)
		}
	}
	return nil
}
