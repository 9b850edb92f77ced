package serve

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// lookAfter is how often the files are looked at, at most.
const lookAfter = 10 * time.Second

// A certificate is a certificate and its key in two files. It is loaded again after they
// were renewed, so that the server need not be restarted.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	version [2]time.Time // modification times of the files of current
	looked  time.Time
}

// loadCertificate returns the certificate. It returns an error that says what to do if
// the files do not fit.
func loadCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	if err := c.load(c.modified()); err != nil {
		return nil, fmt.Errorf("--tls-cert %s and --tls-key %s cannot be used, expected a PEM certificate and its key: %w", certFile, keyFile, err)
	}
	c.looked = time.Now()
	return c, nil
}

func (c *certificate) load(version [2]time.Time) error {
	loaded, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.current, c.version = &loaded, version
	return nil
}

// modified returns when the files were modified. A file that is missing has the zero time.
func (c *certificate) modified() (version [2]time.Time) {
	for n, name := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil {
			version[n] = info.ModTime()
		}
	}
	return version
}

// get returns the certificate for a connection. If the files cannot be loaded any more,
// because only one of them is new for example, the last good ones stay.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < lookAfter {
		return c.current, nil
	}

	c.looked = time.Now()
	version := c.modified()
	if version == c.version {
		return c.current, nil
	}
	if err := c.load(version); err != nil {
		c.log.Warn("the new certificate cannot be loaded, the old one stays", "err", err)
	} else {
		c.log.Info("loaded a new certificate", "file", c.certFile)
	}
	return c.current, nil
}
