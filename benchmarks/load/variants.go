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
	refused  int // status that half of the requests must get, or 0
	requests [][]byte
	results  []drive.Result
}

// pool is the number of requests of a variant. It is far larger than the number of
// refusals that the cache remembers, so that each junk token is new to it.
const pool = 1 << 13

// variants returns the variants that are measured on a site, bare first.
func (s *site) variants() []*variant {
	good := s.requests(func(int) string { return "" })
	return []*variant{
		{name: "bare", addr: s.Bare, requests: good},
		{name: "chain", addr: s.Chain, requests: good},
		{name: "chain, 50 % junk: checksum", addr: s.Chain, refused: http.StatusNotFound, requests: s.requests(odd(wrongChecksum))},
		{name: "chain, 50 % junk: fresh JWTs", addr: s.Chain, refused: http.StatusBadRequest, requests: s.requests(odd(func() string {
			return wrongSignature(s.Tokens[0])
		}))},
	}
}

// requests returns requests with the site's tokens in turn, or with the junk
// that replaces some.
func (s *site) requests(junk func(i int) string) [][]byte {
	list := make([][]byte, pool)
	for i := range list {
		token := junk(i)
		if token == "" {
			token = s.Tokens[i%len(s.Tokens)]
		}
		list[i] = drive.Get("/user/profile", "X-API-KEY", s.Key, "Authorization", "Bearer "+token)
	}
	return list
}

func odd(junk func() string) func(int) string {
	return func(i int) string {
		if i%2 == 0 {
			return ""
		}
		return junk()
	}
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
	all, good, refused := r.All().Count(), r.Status(http.StatusOK).Count(), r.Status(v.refused).Count()
	switch {
	case r.Err != nil:
		return r.Err
	case good == 0:
		return errors.New("no request was accepted")
	case good+refused != all:
		return fmt.Errorf("of %d requests %d were accepted and %d refused", all, good, refused)
	case v.refused != 0 && max(good, refused)-min(good, refused) > connections+all/10: // each connection alternates
		return fmt.Errorf("%d of %d requests were accepted, expected half", good, all)
	}
	return nil
}
