package issuer

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer/internal/form"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/middleware/throttle"
	"github.com/authtier/authtier/store"
)

// keyClient returns the client of the API key that a wrapper in front has accepted. If
// the key has scopes, the client gets tokens for these only.
//
// A request without an identity either passed a wrapper that allows anonymous requests,
// or there is no wrapper. The two look the same here, and in both the request has no
// key.
func (e endpoint) keyClient(ctx context.Context) (*store.Client, error) {
	i := e.issuer
	key, ok := middleware.IdentityFromContext(ctx)
	switch {
	case !ok:
		e.warned.Do(func() { i.logger().WarnContext(ctx, "authtier: "+errNoKeyInFront.Error(), "issuer", i.url) })
		return nil, missingKey(errNoKeyInFront)
	case !key.Methods.Has(middleware.ByAPIKey):
		// The wrapper in front accepts other credentials besides API keys.
		return nil, missingKey(nil)
	case key.Issuer != i.url:
		return nil, errorsx.Fault(fmt.Errorf("issuer: BehindAPIKey is set, and the API key in front is of the issuer %q", key.Issuer))
	case key.Methods != middleware.ByAPIKey:
		// The scopes of a combined identity are not those of the key.
		return nil, errorsx.Fault(errors.New("issuer: BehindAPIKey is set, and another credential stands in front beside the API key"))
	}

	c, err := i.client(ctx, key.Client, &key)
	if err != nil {
		return nil, err
	}
	if limitsByKey(&key) {
		c.Scopes, c.Default = limitedBy(c.Scopes, &key), limitedBy(c.Default, &key)
	}
	return c, nil
}

var errNoKeyInFront = errors.New("a request without an API key at an endpoint with BehindAPIKey: an APIKey wrapper must stand in front of it")

func missingKey(cause error) error {
	return &errorsx.Error{Code: errorsx.CredentialsMissing, Message: "Missing API key", Err: cause}
}

// requestClient authenticates the client that sent r, by the Authorization header or by
// the body.
func (i *Issuer) requestClient(ctx context.Context, r *http.Request, params form.Params) (*store.Client, error) {
	id, secret := params.Get("client_id"), params.Get("client_secret")
	c, err := middleware.ReadBasic(r, "Authorization")
	switch {
	case err == nil && secret != "":
		return nil, form.Invalid("client_secret", "the client is authenticated by the Authorization header too")
	case err == nil:
		return i.basicClient(ctx, c, id)
	case !errors.Is(err, errorsx.CredentialsMissing):
		return nil, err
	case id != "" && secret != "":
		return i.tryClient(ctx, middleware.Credential{Scheme: middleware.SchemeBasic, Username: id, Secret: secret}.WithRequest(r))
	case id != "":
		return nil, errorsx.CredentialsIncorrect
	case secret != "":
		return nil, form.Missing("client_id")
	}
	return nil, err
}

// basicClient tries the ID and secret as they were sent. If form-decoding changes them,
// it also tries the decoded ones (RFC 6749 section 2.3.1). A client_id in the body must
// name the same client.
func (i *Issuer) basicClient(ctx context.Context, c middleware.Credential, bodyID string) (*store.Client, error) {
	decoded, differs := formDecoded(c)
	if bodyID != "" && bodyID != c.Username && !(differs && bodyID == decoded.Username) {
		return nil, form.Invalid("client_id", "expected the client of the Authorization header")
	}

	readings := []middleware.Credential{c}
	if differs {
		readings = append(readings, decoded)
	}

	client, err := i.tryClient(ctx, readings...)
	if err == nil && bodyID != "" && bodyID != client.ID {
		return nil, form.Invalid("client_id", "expected the client of the Authorization header")
	}
	return client, err
}

// tryClient returns the client that one of the readings of a credential authenticates.
// If none does, that counts as one failure for each client ID.
func (i *Issuer) tryClient(ctx context.Context, readings ...middleware.Credential) (client *store.Client, err error) {
	var attempts [2]*throttle.Attempt // one for each reading
	defer func() {
		for _, a := range slices.Backward(attempts[:]) {
			a.End(err)
		}
	}()

	now := time.Now()
	for n, c := range readings {
		readings[n] = c.At(now)
		// Two readings with the same ID are one attempt.
		if n > 0 && c.Username == readings[0].Username {
			continue
		}
		if attempts[n], err = i.cfg.Throttle.Begin(readings[n]); err != nil {
			return nil, err
		}
	}

	// Only a refusal leads to the next reading. Any other failure says nothing about
	// the credential.
	for _, c := range readings {
		client, _, err = i.authenticateClient(ctx, c)
		if err == nil || unlessRefused(err) != nil {
			return client, err
		}
	}
	return nil, err
}

// formDecoded returns c form-decoded, and reports whether that changes it.
func formDecoded(c middleware.Credential) (middleware.Credential, bool) {
	user, err1 := url.QueryUnescape(c.Username)
	secret, err2 := url.QueryUnescape(c.Secret)
	differs := err1 == nil && err2 == nil && (user != c.Username || secret != c.Secret)
	c.Username, c.Secret = user, secret
	return c, differs
}

// authenticateClient returns the client that the ID and secret in c authenticate, and
// when the secret expires. The work and the error are the same whether the ID or the
// secret is wrong.
func (i *Issuer) authenticateClient(ctx context.Context, c middleware.Credential) (*store.Client, time.Time, error) {
	digest := store.DigestOf(c.Secret)
	client, err := i.db.Client(ctx, c.Username)
	switch {
	case errors.Is(err, store.ErrNotFound):
		// An unknown client takes as long as one with a secret.
		client = &store.Client{Secrets: make([]store.Secret, 1), Disabled: true}
	case err != nil:
		return nil, time.Time{}, &errorsx.Error{Code: errorsx.CredentialStore, Err: err}
	}

	// Every secret is compared, so that the time does not tell which one matches.
	match := -1
	for n, s := range client.Secrets {
		same := subtle.ConstantTimeCompare(digest[:], s.Digest[:]) == 1
		if same && (s.Expires.IsZero() || s.Expires.After(c.Now())) {
			match = n
		}
	}
	if match < 0 || client.Disabled {
		return nil, time.Time{}, errorsx.CredentialsIncorrect
	}

	i.uses.note(client.ID, client.Secrets[match].ID, c.Now())
	return client, client.Secrets[match].Expires, nil
}
