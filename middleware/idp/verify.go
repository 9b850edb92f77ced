package idp

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/authtier/authtier/errorsx"
)

// refused returns the refusal of a token with that cause.
func refused(code errorsx.Code, cause error) error {
	return &errorsx.Error{Code: code, Err: cause}
}

// verify checks the signature and returns the name of the key that made it.
func (t *trusted) verify(ctx context.Context, r *token, tenant string) (keyID string, err error) {
	kid, alg, err := r.header.key()
	if err != nil {
		return "", refused(errorsx.BadSignature, err)
	}
	if kid == "" && t.cfg.preset.own {
		return "", refused(errorsx.BadSignature, r.header.badKey(wantFilled, ErrNoKey))
	}
	method := methods[alg]
	if method == nil {
		return "", refused(errorsx.BadSignature, r.header.Alg.fault("alg", anyAlg{}))
	}

	keys, err := t.candidates(ctx, kid, alg)
	if errors.Is(err, ErrNoKey) || errors.Is(err, errTooManyKeys) {
		return "", refused(errorsx.BadSignature, r.header.badKey(knownKey(alg), err).see(t.keySetting()))
	}
	if err != nil {
		return "", err
	}
	if name, v := r.header.locator(); v != nil && (t.cfg.preset.own || kid == "" || !keys.has(kid)) {
		return "", refused(errorsx.BadSignature, v.fault(name, words("no such member, or one beside the ID of a known key")))
	}

	if t.checking != nil {
		t.checking <- struct{}{}
		defer func() { <-t.checking }()
	}
	for _, k := range keys {
		if method.Verify(r.signed, r.signature, crypto.PublicKey(k.public())) != nil {
			continue
		}
		if err := t.checkKeyIssuer(k, r.claims.Text(t.cfg.TenantClaim), tenant); err != nil {
			return "", refused(errorsx.BadSignature, err)
		}
		t.remember(r)
		return k.id, nil
	}
	return "", refused(errorsx.BadSignature, r.header.badKey(signingKey(alg), errors.New("the signature is wrong")))
}

// keySetting returns the field of Config that decides on the keys.
func (t *trusted) keySetting() string {
	if t.cfg.Keys != nil {
		return "Keys"
	}
	return "JWKSURL"
}

// remember remembers the header of a genuine token, because the next one likely has the
// same.
func (t *trusted) remember(r *token) {
	if known := t.known.Load(); known == nil || known.header != r.header {
		t.known.Store(&knownHeader{strings.Clone(r.head), r.header})
	}
}

// candidates returns the keys to try for a token with that kid and algorithm. It returns
// ErrNoKey if there is none, and any other error if the keys could not be read.
func (t *trusted) candidates(ctx context.Context, kid, alg string) (keyList, error) {
	if t.finder != nil {
		return t.ask(ctx, kid, alg)
	}
	keys, err := t.keys(ctx, kid)
	if err != nil {
		return nil, err
	}
	return keys.candidates(kid, alg)
}

// ask returns the key that the program's own Keys find.
func (t *trusted) ask(ctx context.Context, kid, alg string) (keys keyList, err error) {
	if t.isClosed() {
		return nil, errClosed
	}
	defer errorsx.Recovered("idp: the Keys", &err)
	key, err := t.finder.Key(ctx, kid, alg)
	if err != nil {
		return nil, err
	}
	if err := checkKey(alg, key); err != nil {
		return nil, errorsx.Fault(fmt.Errorf("idp: the Keys: key %q: %w", kid, err))
	}
	return keyList{{id: kid, kid: kid, public: func() crypto.PublicKey { return key }}}, nil
}

// keys returns the static keys, and the fetched ones if there is a set. An unknown kid
// has the set fetched first.
func (t *trusted) keys(ctx context.Context, kid string) (keyList, error) {
	t.mu.Lock()
	remote, opening, closed := t.remote, t.opening, t.closed
	t.mu.Unlock()
	switch {
	case closed:
		return nil, errClosed
	case remote == nil && opening != nil:
		return nil, fmt.Errorf("idp: the key set is not found: %w", opening)
	case remote == nil || kid != "" && t.static.has(kid):
		return t.static, nil
	}

	fetched, err := remote.find(ctx, kid)
	if err != nil {
		return nil, err
	}
	if len(t.static) == 0 {
		return fetched, nil
	}
	return slices.Concat(t.static, fetched), nil
}
