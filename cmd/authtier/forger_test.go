package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authtier/authtier/issuer"
)

// A forger is a demo with a signing key that the test knows.
type forger struct {
	*wire
	key *ecdsa.PrivateKey
}

// startForger returns the forger that all tests share.
func startForger(t *testing.T) *forger {
	t.Helper()
	shared, err := sharedForger()
	if err != nil {
		t.Fatal(err)
	}
	return &forger{&wire{t: t, url: shared.url, addr: shared.addr}, shared.key}
}

// sharedForger is a demo that signs with a key that the tests know.
var sharedForger = sync.OnceValues(func() (*forger, error) {
	key, err := issuer.GenerateKey("ES256")
	if err != nil {
		return nil, err
	}
	server := httptest.NewUnstartedServer(nil)
	addr := server.Listener.Addr().String()
	server.Config.Handler, err = newDemo(context.Background(), "http://"+addr, key, 5*time.Minute)
	if err != nil {
		return nil, err
	}
	server.Start()
	return &forger{&wire{url: "http://" + addr, addr: addr}, key.Private.(*ecdsa.PrivateKey)}, nil
})

var b64url = base64.RawURLEncoding

// signWith signs a header and a payload with ES256, without changing them.
func signWith(t *testing.T, key *ecdsa.PrivateKey, head, payload string) string {
	t.Helper()
	signed := b64url.EncodeToString([]byte(head)) + "." + b64url.EncodeToString([]byte(payload))
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + joinRS(r, s)
}

func joinRS(r, s *big.Int) string {
	b := make([]byte, 64)
	r.FillBytes(b[:32])
	s.FillBytes(b[32:])
	return b64url.EncodeToString(b)
}

// segment decodes a segment of a token.
func segment(t *testing.T, token string, n int) string {
	t.Helper()
	b, err := b64url.DecodeString(strings.Split(token, ".")[n])
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// edited returns a JSON object with some members replaced by raw JSON. An empty
// replacement removes the member.
func edited(t *testing.T, object string, members map[string]string) string {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal([]byte(object), &m); err != nil {
		t.Fatal(err)
	}
	for name, value := range members {
		m[name] = json.RawMessage(value)
		if value == "" {
			delete(m, name)
		}
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// forge re-signs a genuine token with other members.
func (f *forger) forge(t *testing.T, token string, head, claims map[string]string) string {
	t.Helper()
	return signWith(t, f.key, edited(t, segment(t, token, 0), head), edited(t, segment(t, token, 1), claims))
}

// flipSignature changes one bit of a token's signature.
func flipSignature(token string) string {
	i := strings.LastIndexByte(token, '.') + 1
	b, _ := b64url.DecodeString(token[i:])
	b[len(b)/2] ^= 1
	return token[:i] + b64url.EncodeToString(b)
}

func at(d time.Duration) string { return strconv.FormatInt(time.Now().Add(d).Unix(), 10) }

// tableStatusOf is the status of a refused token in the tiers system.
func tableStatusOf(code string) int {
	if code == "AUTH-12" {
		return 404
	}
	return 400
}

// refusesToken offers a token to both dialects: as it is to the tiers system.
func (w *wire) refusesToken(t *testing.T, token, code string) {
	t.Helper()
	refusal{tableStatusOf(code), code, "invalid_token", challengeBearer("invalid_token"), ""}.
		check(t, w.do("GET", "/user/me", demoKey, bearer(token)))
}

type rawJSON = map[string]string
