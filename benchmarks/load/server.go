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
	"time"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
	"github.com/authtier/authtier/store/meter"
)

// A site describes a server: its addresses and the credentials that it accepts.
type site struct {
	Bare, Chain string // addresses
	Key         string
	Tokens      []string
}

const (
	tokens    = 512
	cacheSize = 1024
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

func hello(w http.ResponseWriter, _ *http.Request) { w.Write(body) }

var vary, private = []string{"X-API-KEY"}, []string{"private"}

// bare answers every request as the chain answers an accepted one.
func bare(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["Vary"], h["Cache-Control"] = vary, private
	hello(w, r)
}

// newSite returns a site with one client and one user, and its chain of
// wrappers.
func newSite(ctx context.Context) (*site, http.Handler, error) {
	db := memory.New()
	iss, err := issuer.New(ctx, "https://id.example", db, &issuer.Config{AllowEphemeralKeys: true})
	if err != nil {
		return nil, nil, err
	}
	s := &site{}
	err = errors.Join(
		db.CreateClient(ctx, store.Client{ID: "app", Scopes: []string{"read", "files"}}),
		db.CreateUsers(ctx, store.User{Login: "ada"}),
	)
	if err != nil {
		return nil, nil, err
	}
	if s.Key, err = iss.CreateAPIKey(ctx, store.APIKey{Client: "app"}); err != nil {
		return nil, nil, err
	}
	for range tokens {
		t, err := iss.Mint(ctx, issuer.Grant{Client: "app", User: "ada", Scope: "read files"})
		if err != nil {
			return nil, nil, err
		}
		s.Tokens = append(s.Tokens, t.AccessToken)
	}
	go iss.Run(ctx)
	h, err := chain(iss, db)
	return s, h, err
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
