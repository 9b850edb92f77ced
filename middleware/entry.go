package middleware

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"time"
	"unique"
)

type digest [sha256.Size]byte

// A cacheKey identifies a credential without containing its secret part.
type cacheKey struct {
	digest digest
	open   string // the part that is not secret: a JWT's header and payload, or a secret's prefix
}

// set makes k the key of a credential.
func (k *cacheKey) set(scheme Scheme, username, secret string) {
	switch {
	case username == "" && scheme == SchemeBearer:
		if signed, signature, ok := cutSignature(secret); ok {
			k.open, k.digest = signed, digestOf('j', signature)
			return
		}

		// It is an opaque token.
		open, random := cutPrefix(secret)
		k.open, k.digest = open, digestOf('o', random)
	case username == "" && scheme == SchemeAPIKey:
		open, random := cutPrefix(secret)
		k.open, k.digest = open, digestOf('k', random)
	default:
		// The frames keep ("ab", "c") and ("a", "bc") apart.
		b := append(make([]byte, 0, 384), 'b')
		b = appendFramed(appendFramed(b, string(scheme)), username)
		k.digest = sha256.Sum256(append(b, secret...))
	}
}

// digestOf returns the SHA-256 of a secret of that kind. Its buffers stay on the
// stack. The larger one is for RSA signatures; short secrets do without it, because
// clearing it takes time.
func digestOf(kind byte, secret string) digest {
	if len(secret) < 128 {
		return sha256.Sum256(append(append(make([]byte, 0, 128), kind), secret...))
	}
	return sha256.Sum256(append(append(make([]byte, 0, 384), kind), secret...))
}

// cutSignature splits a JWT into its header and payload, and its signature. The cache
// stores the first part as text, so that part must be worthless without the
// signature. For that reason only a secret that begins like a JWT, with an encoded
// {", is split.
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
	// secretChars is how many characters of base62 or base64 hold 256 bits.
	secretChars = 43

	// blockChars is how many characters fit into one block of SHA-256, beside the
	// byte for the kind.
	blockChars = 54

	maxPrefix = 64

	bytesPerAddr = 32 // of a netip.Prefix
)

// cutPrefix splits a secret of the form prefix_random, which many issuers use, so that
// only one block is hashed. Hashing all of such a secret takes half as long again.
//
// The cache stores the prefix as text. So at least 43 characters must follow it, and
// neither an underscore nor a hyphen may be among them, as in words that somebody wrote.
// Any other secret is hashed as a whole.
func cutPrefix(secret string) (prefix, random string) {
	if len(secret) <= blockChars || len(secret) > maxPrefix+blockChars {
		return "", secret
	}

	from := len(secret) - blockChars - 1
	n := from + 1 + strings.LastIndexByte(secret[from:len(secret)-secretChars], '_')
	random = secret[n:]
	if n == from || strings.IndexByte(random, '_') >= 0 || strings.IndexByte(random, '-') >= 0 {
		return "", secret
	}
	return secret[:n], random
}

// appendFramed appends the length of s and then s, so that no two credentials have
// the same key.
func appendFramed(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

// short returns the number under which k is stored. Map lookups by a number take half
// the time of lookups by a digest. Callers must then compare the full keys.
func (k *cacheKey) short() uint64 { return binary.NativeEndian.Uint64(k.digest[:]) }

// kept returns a copy of k for an entry. A substring would keep the whole token in
// memory. Entries with the same prefix share one copy of it.
func (k *cacheKey) kept() cacheKey {
	if len(k.open) <= maxPrefix {
		return cacheKey{k.digest, unique.Make(k.open).Value()}
	}
	return cacheKey{k.digest, strings.Clone(k.open)}
}

// An entry is a remembered identity.
type entry struct {
	links[entry]
	identity Identity
	memo     memo
	key      cacheKey
	until    time.Duration // from the cache's start
	used     uint32        // the tick of recency in which it was last moved to the front, guarded by the shard
	fits     bool          // its credential has passed fitsHeader
	number   uint64        // of the last revocation that was compared with it, guarded by the shard
}

// A refusal is the remembered error of a refused credential.
type refusal struct {
	links[refusal]
	key   cacheKey
	err   error
	until time.Time
}

// intern shares the strings that are the same in many identities.
func (id *Identity) intern() {
	for _, s := range []*string{&id.Issuer, &id.Client, (*string)(&id.Scopes), (*string)(&id.Audience), &id.SigningKeyID} {
		*s = unique.Make(*s).Value()
	}
}

// ownText gives e copies of its strings, because a substring would keep the whole token
// in memory. One allocation holds all strings that differ from entry to entry.
func (e *entry) ownText() {
	id := &e.identity
	id.intern()

	own := append(make([]*string, 0, 6), &id.User, &id.TokenID, &id.Family, &id.APIKeyID)
	if len(e.key.open) > maxPrefix {
		own = append(own, &e.key.open)
	} else {
		e.key = e.key.kept()
	}

	// A JWT's key already holds the encoded payload, so the two share one string.
	head, shared := strings.CutSuffix(e.key.open, id.claims)
	if !shared {
		own = append(own, &id.claims)
	}

	copyTogether(own)
	if shared {
		id.claims = e.key.open[len(head):]
	}
}

// copyTogether replaces strings by copies of them in one allocation.
func copyTogether(all []*string) {
	size := 0
	for _, s := range all {
		size += len(*s)
	}

	var b strings.Builder
	b.Grow(size)
	for _, s := range all {
		b.WriteString(*s)
	}

	rest := b.String()
	for _, s := range all {
		*s, rest = rest[:len(*s)], rest[len(*s):]
	}
}

func (e *entry) short() uint64   { return e.key.short() }
func (r *refusal) short() uint64 { return r.key.short() }

// text returns how many bytes of text an entry keeps: the open part of its key and the
// strings of its identity. Strings that many entries share count in full for each.
func (e *entry) text() int {
	id := &e.identity
	n := len(e.key.open) + len(id.Issuer) + len(id.Client) + len(id.User) + len(id.Scopes) + len(id.Audience) +
		len(id.TokenID) + len(id.Family) + len(id.APIKeyID) + len(id.SigningKeyID)
	if !strings.HasSuffix(e.key.open, id.claims) {
		n += len(id.claims)
	}
	if d := id.details; d != nil {
		n += len(d.Owner) + len(d.Confirmation) + len(d.Addrs)*bytesPerAddr
		for _, s := range d.DroppedScopes {
			n += len(s)
		}
	}
	return n
}

// text returns how many bytes of text a refusal keeps, besides those of its error.
func (r *refusal) text() int { return len(r.key.open) }
