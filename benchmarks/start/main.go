// Command start measures how long authtier serve takes from its start to its first answer,
// with a few tokens in the store and with many.
//
//	go run ./benchmarks/start
//
// It makes two SQLite stores, builds authtier, and starts it in turn with both. Of every
// thousand tokens, one is revoked. The first answer is to a call of /me with an API key,
// which the server looks up in the store.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/sqlite"
)

func main() {
	log.SetFlags(0)
	few := flag.Int("few", 1_000, "how many tokens the smaller store has")
	many := flag.Int("many", 1_000_000, "how many tokens the larger store has")
	starts := flag.Int("starts", 21, "how often the server is started with each of them")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *few, *many, *starts); err != nil {
		log.Fatal("start: ", err)
	}
}

func run(ctx context.Context, w io.Writer, few, many, starts int) error {
	if few < 1 || many < 1 || starts < 1 {
		return fmt.Errorf("expected at least one token and one start")
	}
	dir, err := os.MkdirTemp("", "start")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	binary := filepath.Join(dir, "authtier")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/authtier/authtier/cmd/authtier").CombinedOutput(); err != nil {
		return fmt.Errorf("building authtier: %w: %s", err, out)
	}

	var sites [2]*site
	for n, tokens := range []int{few, many} {
		if sites[n], err = newSite(ctx, filepath.Join(dir, fmt.Sprint(n)), binary, tokens); err != nil {
			return fmt.Errorf("making a store of %d tokens: %w", tokens, err)
		}
	}
	if err := measure(ctx, sites, starts); err != nil {
		return err
	}
	report(w, sites)
	return nil
}

// measure starts the server in turn with both stores. The first start with each fills the
// caches of the system, and is not measured.
func measure(ctx context.Context, sites [2]*site, starts int) error {
	for n := range 1 + starts {
		for _, s := range sites {
			took, err := s.start(ctx)
			if err != nil {
				return fmt.Errorf("starting with %d tokens: %w", s.tokens, err)
			}
			if n > 0 {
				s.took = append(s.took, took)
			}
		}
	}
	return nil
}

func report(w io.Writer, sites [2]*site) {
	fmt.Fprintf(w, "%s, %d cores, %s\n\n", runtime.Version(), runtime.NumCPU(), time.Now().UTC().Format(time.DateOnly))
	fmt.Fprint(w, "| tokens | starts | median to the first answer | least | most |\n|--:|--:|--:|--:|--:|\n")
	for _, s := range sites {
		slices.Sort(s.took)
		fmt.Fprintf(w, "| %d | %d | %v | %v | %v |\n", s.tokens, len(s.took), s.median(), short(s.took[0]), short(s.took[len(s.took)-1]))
	}
	fmt.Fprintf(w, "\nRatio of the medians: %.2f.\n", float64(sites[1].median())/float64(sites[0].median()))
}

func short(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }

// A site is a folder with a store.
type site struct {
	dir, binary string
	tokens      int
	key         string // an API key
	took        []time.Duration
}

func (s *site) median() time.Duration { return short(s.took[len(s.took)/2]) }

// start starts the server, asks it once, and ends it. It returns the time from the start
// of the process to the answer.
func (s *site) start(ctx context.Context) (took time.Duration, err error) {
	cmd := exec.CommandContext(ctx, s.binary, "serve", "--addr", "127.0.0.1:0")
	cmd.Dir, cmd.Stderr = s.dir, &strings.Builder{}
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AUTHTIER_") })
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}

	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, end(cmd)) }()
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !ok {
		return 0, fmt.Errorf("it printed %q and %q", line, cmd.Stderr)
	}
	if err := ask(ctx, url+"/me", s.key); err != nil {
		return 0, err
	}
	return time.Since(began), nil
}

// end ends a server as an operator does, so that the next start finds a store that was
// closed.
func end(cmd *exec.Cmd) error {
	if cmd.Process.Signal(os.Interrupt) != nil { // as on Windows
		cmd.Process.Kill()
		cmd.Wait()
		return nil
	}
	return cmd.Wait()
}

// ask calls a URL with an API key.
func ask(ctx context.Context, url, key string) error {
	r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return err
	}
	r.Header.Set("X-API-KEY", key)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		return fmt.Errorf("status %d, expected 200", resp.StatusCode)
	}
	return nil
}

// newSite makes a store with so many refresh tokens of one client.
func newSite(ctx context.Context, dir, binary string, tokens int) (*site, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	db, err := sqlite.Open(ctx, filepath.Join(dir, "auth.db"))
	if err != nil {
		return nil, err
	}
	defer db.Close()
	iss, err := issuer.Open(ctx, "http://127.0.0.1:8080", db, &issuer.Config{KeyFile: filepath.Join(dir, "auth.key")})
	if err != nil {
		return nil, err
	}
	defer iss.Close()

	if _, err := iss.CreateClient(ctx, store.Client{ID: "acme", Scopes: []string{"read"}, Default: []string{"read"}}); err != nil {
		return nil, err
	}
	key, err := iss.CreateAPIKey(ctx, store.APIKey{Client: "acme"})
	if err != nil {
		return nil, err
	}
	return &site{dir: dir, binary: binary, tokens: tokens, key: key}, fill(ctx, db, tokens)
}

// fill stores refresh tokens, of which every thousandth is then revoked with its family.
func fill(ctx context.Context, db store.Store, tokens int) error {
	const batch = 1000
	now := time.Now()
	ends := now.Add(30 * 24 * time.Hour)
	for first := 0; first < tokens; first += batch {
		var ts []store.Token
		for n := first; n < min(first+batch, tokens); n++ {
			id := fmt.Sprintf("token-%d", n)
			ts = append(ts, store.Token{
				ID: id, Family: "family-of-" + id, Client: "acme", Audience: "http://127.0.0.1:8080", Scopes: "read",
				Digest: store.DigestOf(id), Refresh: true, Issued: now, Expires: ends, FamilyEnds: ends,
			})
		}
		if err := db.PutTokens(ctx, ts...); err != nil {
			return err
		}
		if err := db.Revoke(ctx, store.Change{Kind: store.KindFamily, ID: ts[0].Family, Until: ends}); err != nil {
			return err
		}
	}
	return nil
}
