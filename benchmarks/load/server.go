package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
	"github.com/authtier/authtier/store/meter"
)

// A site describes a server: its addresses and credentials.
type site struct {
	Bare, Chain string // addresses
	Key         string
	Tokens      []string // valid tokens, few enough to be all remembered
	Fresh       []string // valid tokens, more than are remembered
	Expired     []string // more than are remembered
	Large       []string // one valid token of 3 KB
}

// The cache drops what was used longest ago. It is so much larger than the number of
// tokens that none of them is dropped while others pass through it.
const (
	tokens    = 512
	cacheSize = 8 * tokens
	tooMany   = 4 * cacheSize
)

// startServer starts this program once more, as the server.
func startServer(ctx context.Context) (*site, func(), error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-serve")
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(runtime.GOMAXPROCS(0)))
	cmd.Stderr = os.Stderr
	end, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		return nil, nil, err
	}
	stop := func() { end.Close(); cmd.Wait() }
	s := &site{}
	if err := json.NewDecoder(out).Decode(s); err != nil {
		stop()
		return nil, nil, fmt.Errorf("the server did not start: %w", err)
	}
	return s, stop, nil
}

// serve serves a new site and describes it on out, until in ends.
func serve(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, chain, err := newSite(ctx)
	if err != nil {
		return err
	}
	servers := []*http.Server{}
	for addr, h := range map[*string]http.Handler{&s.Bare: http.HandlerFunc(bare), &s.Chain: chain} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		*addr = l.Addr().String()
		server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
		servers = append(servers, server)
		go server.Serve(l)
	}
	if err := json.NewEncoder(out).Encode(s); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	for _, server := range servers {
		err = errors.Join(err, server.Close())
	}
	return err
}

var body = []byte("hello\n")

// freshPath is for the tokens of Fresh. Its status tells the answers to them from those
// to remembered tokens.
const freshPath = "/user/fresh"

func hello(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == freshPath {
		w.WriteHeader(http.StatusAccepted)
	}
	w.Write(body)
}

var vary, private = []string{"X-API-KEY"}, []string{"private"}

// bare answers every request as the chain answers an accepted one.
func bare(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["Vary"], h["Cache-Control"] = vary, private
	hello(w, r)
}

// newSite returns a site with one client and one user, and its chain of wrappers.
func newSite(ctx context.Context) (*site, http.Handler, error) {
	db := memory.New()
	iss, err := issuer.New(ctx, "https://id.example", db, &issuer.Config{AllowEphemeralKeys: true})
	if err != nil {
		return nil, nil, err
	}
	scopes := []string{"read", "files"}
	for i := range 95 {
		scopes = append(scopes, fmt.Sprintf("department-%03d:read", i))
	}
	err = errors.Join(
		db.CreateClient(ctx, store.Client{ID: "app", Scopes: scopes}),
		db.CreateUsers(ctx, store.User{Login: "ada"}),
	)
	if err != nil {
		return nil, nil, err
	}

	s := &site{}
	if s.Key, err = iss.CreateAPIKey(ctx, store.APIKey{Client: "app"}); err != nil {
		return nil, nil, err
	}
	if err := s.mint(ctx, iss, scopes); err != nil {
		return nil, nil, err
	}
	go iss.Run(ctx)
	h, err := chain(iss, db)
	return s, h, err
}

// mint makes the site's tokens, and waits until those of Expired have expired.
func (s *site) mint(ctx context.Context, iss *issuer.Issuer, scopes []string) error {
	var errs []error
	mint := func(n int, scope string, ttl time.Duration) (list []string) {
		for range n {
			t, err := iss.Mint(ctx, issuer.Grant{Client: "app", User: "ada", Scope: scope, TTL: ttl})
			if err != nil {
				errs = append(errs, err)
				return nil
			}
			list = append(list, t.AccessToken)
		}
		return list
	}

	s.Tokens = mint(tokens, "read files", 0)
	s.Fresh = mint(tooMany, "read files", 0)
	s.Large = mint(1, strings.Join(scopes, " "), 0)
	s.Expired = mint(tooMany, "read files", time.Second)

	// Times in tokens are whole seconds, so one more may pass.
	time.Sleep(2 * time.Second)
	return errors.Join(errs...)
}

// chain combines all wrappers: tiers, API key, user token, scope and usage.
func chain(iss *issuer.Issuer, db *memory.Store) (http.Handler, error) {
	cache, err1 := middleware.NewCache(iss, cacheSize, nil)
	usage, err2 := meter.New(db).Product("api", "call", "calls")
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	guard := middleware.Tiers(middleware.TierTable{
		"/ext/": middleware.Unguarded,
		"/user/": middleware.Chain(
			middleware.APIKey(cache, nil),
			middleware.Bearer(cache, &middleware.BearerConfig{RequireUser: true}),
			middleware.Scope("read"),
			middleware.Usage(usage, nil),
		),
	}, nil)
	return guard(http.HandlerFunc(hello)), nil
}
