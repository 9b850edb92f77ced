package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/authtier/authtier/benchmarks/load/drive"
)

// A variant is a set of requests to one address. Variants take turns.
type variant struct {
	name     string
	addr     string
	refused  int  // status of the requests that must be refused, or 0
	fresh    bool // whether some requests have tokens of Fresh
	requests [][]byte
	results  []drive.Result
}

// pool is the number of requests of a variant. It is far larger than the number of
// refusals that the cache remembers, and holds each of the fresh tokens, so that each token
// is new to the cache.
const pool = 4 * tooMany

// variants returns the variants that are measured on a site, bare first.
func (s *site) variants() []*variant {
	forged := func(int) string { return wrongSignature(s.Tokens[0]) }
	good := s.requests(s.hit)
	return []*variant{
		{name: "bare", addr: s.Bare, requests: good},
		{name: "chain", addr: s.Chain, requests: good},
		{name: "chain, one token of 3 KB", addr: s.Chain, requests: s.requests(func(int) []byte { return s.get(profile, s.Large[0]) })},
		s.flood("wrong checksums", http.StatusNotFound, func(int) string { return wrongChecksum() }),
		s.flood("wrong signatures", http.StatusBadRequest, forged),
		s.flood("expired tokens", http.StatusBadRequest, func(i int) string { return s.Expired[i%len(s.Expired)] }),
		s.inTurn(forged),
	}
}

const profile = "/user/profile"

// get returns a request with a token.
func (s *site) get(path, token string) []byte {
	return drive.Get(path, "X-API-KEY", s.Key, "Authorization", "Bearer "+token)
}

// hit returns the i-th request with a token that is remembered.
func (s *site) hit(i int) []byte { return s.get(profile, s.Tokens[i%len(s.Tokens)]) }

// requests returns the requests of a variant.
func (s *site) requests(request func(i int) []byte) [][]byte {
	list := make([][]byte, pool)
	for i := range list {
		list[i] = request(i)
	}
	return list
}

// flood returns a variant in which every second request has a junk token.
func (s *site) flood(name string, refused int, junk func(i int) string) *variant {
	return &variant{name: "chain, 50 % " + name, addr: s.Chain, refused: refused, requests: s.requests(func(i int) []byte {
		if i%2 == 0 {
			return s.hit(i / 2)
		}
		return s.get(profile, junk(i/2))
	})}
}

// inTurn returns a variant in which every second request has a token that is not
// remembered: a good one and a bad one in turn.
func (s *site) inTurn(junk func(i int) string) *variant {
	v := &variant{name: "chain, 50 % fresh: good and bad in turn", addr: s.Chain, refused: http.StatusBadRequest, fresh: true}
	v.requests = s.requests(func(i int) []byte {
		switch i % 4 {
		case 1:
			return s.get(freshPath, s.Fresh[i/4%len(s.Fresh)])
		case 3:
			return s.get(profile, junk(i))
		}
		return s.hit(i / 2)
	})
	return v
}

// wrongChecksum returns an opaque token with a typing mistake.
func wrongChecksum() string {
	return "authtier_at_" + (rand.Text() + rand.Text())[:49]
}

// wrongSignature returns a token with a random signature as long as its own.
func wrongSignature(token string) string {
	dot := strings.LastIndexByte(token, '.')
	signature := make([]byte, base64.RawURLEncoding.DecodedLen(len(token)-dot-1))
	rand.Read(signature)
	return token[:dot+1] + base64.RawURLEncoding.EncodeToString(signature)
}

// check returns an error unless all answers are as v expects.
func (v *variant) check(r drive.Result) error {
	all, good := r.All().Count(), r.Status(http.StatusOK).Count()
	refused, fresh := r.Status(v.refused).Count(), r.Status(http.StatusAccepted).Count()
	others := refused + fresh
	switch {
	case r.Err != nil:
		return r.Err
	case good == 0:
		return errors.New("no request was accepted")
	case good+others != all || fresh > 0 && !v.fresh:
		return fmt.Errorf("of %d requests %d were accepted, %d with a fresh token, and %d refused", all, good+fresh, fresh, refused)
	case v.refused != 0 && max(good, others)-min(good, others) > connections+all/10: // each connection alternates
		return fmt.Errorf("%d of %d requests had a remembered token, expected half", good, all)
	}
	return nil
}
