package middleware_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"testing"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/middleware"
)

// The kinds of secrets in TestC16NoSecretInHeap. The test makes each secret anew from
// its number wherever it needs one. So only the suite could keep one in memory.
const (
	apiKeySecret = iota
	password
	opaqueToken
	generatedToken // with a prefix that need not be secret
	jwtSignature
	wrongToken // a token that is refused
	canary     // a secret that the test keeps in memory
)

const secretsOfAKind = 50

// secretOf returns the secret of that kind with that number.
func secretOf(kind, i int) string {
	if kind == generatedToken {
		return pseudorandom(kind<<16|i, 49)
	}
	return pseudorandom(kind<<16|i, 43)
}

// userOf returns the user whose password has that number.
func userOf(i int) string { return "user" + strconv.Itoa(i) }

// basicValue returns the header value with user and password.
func basicValue(i int) string {
	return base64.StdEncoding.EncodeToString([]byte(userOf(i) + ":" + secretOf(password, i)))
}

// jwtOf returns a text in the form of a JWT, with a secret as its signature.
func jwtOf(i int) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"HS256"}`)) + "." + encode([]byte(`{"jti":"`+strconv.Itoa(i)+`"}`)) + "." + secretOf(jwtSignature, i)
}

// digests is a validator that stores only the SHA-256 of credentials.
type digests map[[sha256.Size]byte]bool

func (d digests) add(secret string) { d[sha256.Sum256([]byte(secret))] = true }

func (d digests) Validate(_ context.Context, c middleware.Credential) (*middleware.Identity, error) {
	if !d[sha256.Sum256([]byte(c.Username+c.Secret))] {
		return nil, errorsx.UnknownToken
	}
	return &middleware.Identity{Issuer: "i", Client: "app"}, nil
}

// TestC16NoSecretInHeap searches for credentials in a dump of the heap after 10,000
// requests to a real server. C16
//
// It runs in a process of its own in which freed memory is overwritten. A dump
// contains the unused ends of spans too, and these would otherwise hold old contents.
func TestC16NoSecretInHeap(t *testing.T) {
	if os.Getenv("AUTHTIER_HEAP") == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestC16NoSecretInHeap$", "-test.count=1")
		cmd.Env = append(os.Environ(), "AUTHTIER_HEAP=1", "GODEBUG=clobberfree=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}

	exchangeSecrets(t, 10_000)
	kept := secretOf(canary, 0)
	for range 3 {
		// A sync.Pool drops its contents at the second collection. The third one
		// frees everything that these contents referred to.
		runtime.GC()
	}

	dump := dumpHeap(t)
	if !bytes.Contains(dump, []byte(secretOf(canary, 0))) {
		t.Error("the search does not find what is there")
	}
	runtime.KeepAlive(kept)
	for i := range secretsOfAKind {
		for name, secret := range map[string]string{
			"API key": secretOf(apiKeySecret, i), "password": secretOf(password, i), "opaque token": secretOf(opaqueToken, i),
			"generated token": secretOf(generatedToken, i), "signature": secretOf(jwtSignature, i), "refused token": secretOf(wrongToken, i), "Basic value": basicValue(i),
		} {
			if n := bytes.Count(dump, []byte(secret)); n != 0 {
				t.Errorf("%s %d is in memory %d times", name, i, n)
			}
		}
	}
}

// dumpHeap returns the bytes of all live objects.
func dumpHeap(t *testing.T) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "heap")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	debug.WriteHeapDump(f.Fd())
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	dump, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return dump
}

// exchangeSecrets sends n requests to a server that remembers their credentials, and
// closes its connections. The server's cache stays in memory.
func exchangeSecrets(t *testing.T, n int) {
	t.Helper()
	known := digests{}
	for i := range secretsOfAKind {
		known.add(secretOf(apiKeySecret, i))
		known.add(userOf(i) + secretOf(password, i))
		known.add(secretOf(opaqueToken, i))
		known.add("authtier_at_" + secretOf(generatedToken, i))
		known.add(jwtOf(i))
	}
	c := newCache(t, known, 1000, middleware.CacheConfig{})
	t.Cleanup(func() { runtime.KeepAlive(c) })
	mux := http.NewServeMux()
	mux.Handle("/key", middleware.APIKey(c, nil)(opaqueHandler))
	mux.Handle("/basic", middleware.Basic(c, nil)(opaqueHandler))
	mux.Handle("/bearer", middleware.Bearer(c, nil)(opaqueHandler))
	server := httptest.NewServer(mux)
	defer server.Close()
	var wg sync.WaitGroup
	const clients = 4
	for first := range clients {
		wg.Go(func() {
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			answers := bufio.NewReader(conn)
			for i := first; i < n && !t.Failed(); i += clients {
				send(t, conn, answers, i)
			}
		})
	}
	wg.Wait()
	if s := c.Stats(); s.Hits == 0 || s.Refusals == 0 {
		t.Errorf("nothing was remembered: %+v", s)
	}
}

// send sends the request with that number and checks the answer.
func send(t *testing.T, conn net.Conn, answers *bufio.Reader, number int) {
	i, want := number/6%secretsOfAKind, 200
	path, header := "/bearer", ""
	switch number % 6 {
	case 0:
		path, header = "/key", "X-API-KEY: "+secretOf(apiKeySecret, i)
	case 1:
		path, header = "/basic", "Authorization: Basic "+basicValue(i)
	case 2:
		header = "Authorization: Bearer " + secretOf(opaqueToken, i)
	case 3:
		header = "Authorization: Bearer " + jwtOf(i)
	case 4:
		header = "Authorization: Bearer authtier_at_" + secretOf(generatedToken, i)
	case 5:
		header, want = "Authorization: Bearer "+secretOf(wrongToken, i), 404
	}
	if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: h\r\n"+header+"\r\n\r\n"); err != nil {
		t.Error(err)
		return
	}
	resp, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Error(err)
		return
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != want {
		t.Errorf("request %d: got %s, %v, want %d", number, resp.Status, err, want)
	}
}

// pseudorandom returns n characters that depend only on i.
func pseudorandom(i, n int) string {
	random := rand.New(rand.NewPCG(uint64(i), 0))
	b := make([]byte, n)
	for at := range b {
		b[at] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"[random.Uint32()%32]
	}
	return string(b)
}
