package middleware

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strings"
	"time"
	"unique"

	"github.com/authtier/authtier/errorsx"
)

type digest [sha256.Size]byte

// A cacheKey is a credential without its secret part.
type cacheKey struct {
	digest digest
	open   string // what is no secret: header and payload of a JWT, or what a generated secret begins with
}

// set makes k what a credential is looked up by.
func (k *cacheKey) set(scheme errorsx.Scheme, username, secret string) {
	switch {
	case username == "" && scheme == errorsx.SchemeBearer:
		if signed, signature, ok := cutSignature(secret); ok {
			k.open, k.digest = signed, digestOf('j', signature)
			return
		}
		open, random := cutPrefix(secret)
		k.open, k.digest = open, digestOf('o', random)
	case username == "" && scheme == errorsx.SchemeAPIKey:
		open, random := cutPrefix(secret)
		k.open, k.digest = open, digestOf('k', random)
	default:
		b := append(make([]byte, 0, 384), 'b')
		b = appendFramed(appendFramed(b, string(scheme)), username)
		k.digest = sha256.Sum256(append(b, secret...))
	}
}

// digestOf returns the SHA-256 of a secret of that kind. Its buffers are on the
// stack, and to clear the larger one, for RSA, takes a while.
func digestOf(kind byte, secret string) digest {
	if len(secret) < 128 {
		return sha256.Sum256(append(append(make([]byte, 0, 128), kind), secret...))
	}
	return sha256.Sum256(append(append(make([]byte, 0, 384), kind), secret...))
}

// cutSignature returns a JWT's header and payload, and its signature. The part that is
// kept must be worthless without the signature. Only a secret that begins like a JWT,
// with an encoded {", is therefore treated as one.
func cutSignature(secret string) (signed, signature string, ok bool) {
	if !strings.HasPrefix(secret, "ey") {
		return "", secret, false
	}
	first := strings.IndexByte(secret, '.')
	second := first + 1 + strings.IndexByte(secret[first+1:], '.')
	if second <= first {
		return "", secret, false
	}
	return secret[:second], secret[second+1:], true
}

const (
	randomPart = 49 // characters of a generated secret behind its last underscore
	maxPrefix  = 64
)

// cutPrefix returns what a generated secret begins with, which may be shown, and
// the random part, which is all that it is worth. Any other one is all secret; one
// from elsewhere that has an underscore in that place keeps 49 characters secret.
// SHA-256 takes two thirds of the time for the random part alone.
func cutPrefix(secret string) (prefix, random string) {
	n := len(secret) - randomPart
	if n <= 0 || n > maxPrefix || secret[n-1] != '_' {
		return "", secret
	}
	return secret[:n], secret[n:]
}

// appendFramed appends s behind its length, so that no two credentials have the
// same key.
func appendFramed(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

// short is where k is looked for: a map finds a number in half the time that it
// takes for a digest. What is found there is k's only if its full key is.
func (k *cacheKey) short() uint64 { return binary.NativeEndian.Uint64(k.digest[:]) }

// kept returns k for an entry. A substring would keep the whole token alive; a
// prefix is shared by all that have it.
func (k *cacheKey) kept() cacheKey {
	if len(k.open) <= maxPrefix {
		return cacheKey{k.digest, unique.Make(k.open).Value()}
	}
	return cacheKey{k.digest, strings.Clone(k.open)}
}

// An entry is an identity that is remembered.
type entry struct {
	identity Identity
	memo     memo
	key      cacheKey
	until    time.Duration // from the cache's start
	used     uint32        // in which recency it became the youngest, guarded by the shard
	fits     bool          // fitsHeader: a request with it need not be judged by its characters
	number   uint64        // of the last revocation that is not about it, guarded by the shard
}

// A refusal is remembered until a time.
type refusal struct {
	key   cacheKey
	err   error
	until time.Time
}

// remember enters an identity. A revocation that has overtaken it is found by
// its number.
func (c *Cache) remember(k cacheKey, cred Credential, asked time.Time, id *Identity, number uint64) *Identity {
	e := &entry{
		number: number, identity: *id, key: k.kept(), until: asked.Sub(c.start) + c.ttl,
		fits: fitsHeader(cred.Scheme, cred.Secret),
	}
	e.identity.memo, e.memo.of = &e.memo, &e.identity
	e.identity.Expires = id.Expires.Round(0) // by the wall clock: the other one stands still while the machine sleeps
	if head, ok := strings.CutSuffix(e.key.open, id.claims); ok {
		e.identity.claims = e.key.open[len(head):] // kept once
	}
	e.identity.intern()
	s := c.shard(&k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.good.Add(k.short(), e) {
		s.stats.Evictions++
	}
	s.bad.Remove(k.short())
	return &e.identity
}

// intern shares the strings that many identities have in common.
func (id *Identity) intern() {
	for _, s := range []*string{&id.Issuer, &id.Client, (*string)(&id.Scopes), (*string)(&id.Audience), &id.SignedBy} {
		*s = unique.Make(*s).Value()
	}
}

// rememberRefusal enters a refusal that is the client's own fault, until it may
// be otherwise.
func (c *Cache) rememberRefusal(k cacheKey, asked time.Time, err error) {
	e := errorsx.From(err)
	if e.Code.Ours() || e.Code == errorsx.TooManyRequests {
		return
	}
	until := asked.Add(refusalTTL)
	if early, ok := errors.AsType[*notYetValid](err); ok && early.from.Before(until) {
		until = early.from
	}
	s := c.shard(&k)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bad.Add(k.short(), &refusal{key: k.kept(), err: err, until: until})
}
