package serve

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// checkEvery is the shortest time between two checks of the files.
const checkEvery = 10 * time.Second

// A certificate is a certificate and its key in two files. It is loaded again after the
// files were renewed, so that the server need not be restarted.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	times   [2]time.Time // when the files of current were modified
	checked time.Time
}

// loadCertificate returns the certificate, or an error that says what to do.
func loadCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	if err := c.load(c.modified()); err != nil {
		return nil, fmt.Errorf("--tls-cert %s and --tls-key %s cannot be used, expected a PEM certificate and its key: %w", certFile, keyFile, err)
	}
	c.checked = time.Now()
	return c, nil
}

func (c *certificate) load(times [2]time.Time) error {
	loaded, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	if leaf := loaded.Leaf; time.Now().After(leaf.NotAfter) {
		c.log.Warn("the certificate has expired", "file", c.certFile, "at", leaf.NotAfter)
	}
	c.current, c.times = &loaded, times
	return nil
}

// modified returns when the files were modified. A file that is missing has the zero time.
func (c *certificate) modified() (times [2]time.Time) {
	for n, name := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil {
			times[n] = info.ModTime()
		}
	}
	return times
}

// get returns the certificate for a connection. If the files cannot be loaded, for example
// because only one of them is new, the last good ones stay in use.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.checked) < checkEvery {
		return c.current, nil
	}

	c.checked = time.Now()
	times := c.modified()
	if times == c.times {
		return c.current, nil
	}
	if err := c.load(times); err != nil {
		c.log.Warn("the new certificate cannot be loaded, and the old one stays in use", "err", err)
	} else {
		c.log.Info("loaded a new certificate", "file", c.certFile)
	}
	return c.current, nil
}
