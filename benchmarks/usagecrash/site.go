package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/authtier/authtier/store"
)

// siteVariable is the environment variable that makes this program the server.
const siteVariable = "AUTHTIER_USAGECRASH"

// A site is the configuration of a server.
type site struct {
	Kind, DSN   string // of the store
	Folder      string // of the journal
	Unmapped    bool
	API, Issuer string
	Clients     []client
}

type client struct {
	ID, Key string
}

// record returns the record of the client's key.
func (c client) record() store.APIKey {
	return store.APIKey{ID: c.ID + "-key", Client: c.ID, Digest: store.DigestOf(c.Key)}
}

func newSite(cfg config, dir string) *site {
	s := &site{Folder: filepath.Join(dir, "usage"), Unmapped: cfg.unmapped, API: name(), Issuer: "https://id.example"}
	for i := range cfg.clients {
		s.Clients = append(s.Clients, client{ID: fmt.Sprint("client-", i), Key: rand.Text()})
	}
	return s
}

// A child is a running server.
type child struct {
	cmd   *exec.Cmd
	in    io.Closer
	addr  chan string // the address on which it listens; closed when it has ended
	ended func() error
}

// start starts the server.
func (s *site) start(ctx context.Context) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	encoded, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), siteVariable+"="+string(encoded))
	var said strings.Builder
	cmd.Stderr = &said
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		return nil, err
	}
	c := &child{cmd: cmd, in: in, addr: make(chan string, 1)}
	c.ended = sync.OnceValue(func() error {
		err := cmd.Wait()
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(said.String()))
	})
	go func() {
		defer close(c.addr)
		if line, err := bufio.NewReader(out).ReadString('\n'); err == nil {
			c.addr <- strings.TrimSpace(line)
		}
	}()
	return c, nil
}

// kill ends the server at once, and returns its last output.
func (c *child) kill() error {
	c.cmd.Process.Kill()
	return c.ended()
}

// end lets the server close its meter.
func (c *child) end() error {
	c.in.Close()
	if err := c.ended(); !strings.HasSuffix(err.Error(), "server: "+errDone.Error()) {
		return fmt.Errorf("the server did not end well: %w", err)
	}
	return nil
}
