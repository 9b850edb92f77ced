package nodes

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/sqlite"
)

// The environment variables of a child process: the kind of store, its DSN, and the secret
// of the first refresh token.
const childKind, childDSN, childSecret = "AUTHTIER_NODE_KIND", "AUTHTIER_NODE_DSN", "AUTHTIER_NODE_SECRET"

// openers open durable stores.
var openers = map[string]func(ctx context.Context, dsn string) (closable, error){
	"sqlite": func(ctx context.Context, file string) (closable, error) { return sqlite.Open(ctx, file) },
}

func init() {
	for name, s := range servers {
		openers[name] = s.open
	}
}

func TestMain(m *testing.M) {
	if kind := os.Getenv(childKind); kind != "" {
		fmt.Fprintln(os.Stderr, rotateForEver(kind, os.Getenv(childDSN), os.Getenv(childSecret)))
		os.Exit(1)
	}
	if dir := os.Getenv(childKeyFolder); dir != "" {
		if err := openInKeyFolder(context.Background(), dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// rotateForEver rotates a token and its successors. It prints each rotation before and
// after it.
func rotateForEver(kind, dsn, secret string) error {
	ctx := context.Background()
	db, err := openers[kind](ctx, dsn)
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		next := fmt.Sprintf("%s.%d", strings.SplitN(secret, ".", 2)[0], rand.Uint64())
		fmt.Println("try", next)
		if err := db.RotateRefreshToken(ctx, store.DigestOf(secret), "app", time.Now(), 0, refreshToken(next)); err != nil {
			return err
		}
		fmt.Println("did", next)
		secret = next
	}
}

func refreshToken(secret string) store.Token {
	now := time.Now()
	return store.Token{
		ID: secret, Family: "f", Client: "app", Digest: store.DigestOf(secret), Refresh: true,
		Issued: now, Expires: now.Add(time.Hour), FamilyEnds: now.Add(time.Hour),
	}
}

// TestR04KilledNode repeatedly kills a node in the middle of rotations. The family must
// always have exactly one usable token: the last one, or its successor.
func TestR04KilledNode(t *testing.T) {
	kills := 15
	if os.Getenv("AUTHTIER_LONG") == "1" {
		kills = 100
	}
	for kind, open := range openers {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dsn := filepath.Join(t.TempDir(), "a.db")
			childs, connected := dsn, func() bool { return false }
			if server, ok := servers[kind]; ok {
				s := server.start(t)
				dsn = s.DSN()
				childs, connected = server.named(dsn), func() bool { return server.knows(t, s) }
			}
			db, err := open(t.Context(), dsn)
			must(t, err)
			defer db.Close()
			secret, rotations := "start.0", 0
			must(t, db.PutTokens(t.Context(), refreshToken(secret)))
			for range kills {
				tried, n := killOne(t, kind, childs, secret)
				rotations += n
				eventually(t, 10*time.Second, "the server has done what the node asked last", func() bool { return !connected() })
				secret = survivor(t, db, tried)
			}
			t.Logf("%d kills, %d rotations", kills, rotations)
		})
	}
}

// killOne lets a node rotate secret and its successors, kills it, and returns the last
// tokens that the node had or tried to make.
func killOne(t *testing.T, kind, dsn, secret string) (tried []string, rotations int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childKind+"="+kind, childDSN+"="+dsn, childSecret+"="+secret)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	tried = []string{secret}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		word, token, _ := strings.Cut(lines.Text(), " ")
		if word == "try" {
			tried = append(tried, token)
			continue
		}
		if rotations++; rotations == 1 {
			time.AfterFunc(rand.N(30*time.Millisecond), func() { cmd.Process.Kill() })
		}
	}
	if err := cmd.Wait(); rotations == 0 {
		t.Fatalf("the node rotated nothing: %v", err)
	}
	return tried[max(0, len(tried)-3):], rotations
}

// survivor returns the only one of the tokens that can be used.
func survivor(t *testing.T, db store.Store, tokens []string) string {
	t.Helper()
	var unused []string
	for _, secret := range tokens {
		switch r, err := db.Token(t.Context(), store.DigestOf(secret)); {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			t.Fatal(err)
		case !r.Used:
			unused = append(unused, secret)
		}
	}
	if len(unused) != 1 || unused[0] == tokens[0] && len(tokens) == 3 {
		t.Fatalf("of the tokens %v, these can be used: %v", tokens, unused)
	}
	return unused[0]
}
