package serve

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Certify writes a certificate for this machine and its key to cert.pem and key.pem in a
// folder.
func Certify(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err1 := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	keyDER, err2 := x509.MarshalPKCS8PrivateKey(key)

	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	err3 := os.WriteFile(filepath.Join(dir, "cert.pem"), cert, 0o600)
	err4 := os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	return pool
}

// served returns the certificate that a connection gets when it is time to look again.
func (c *certificate) served(t *testing.T) []byte {
	t.Helper()
	c.checked = time.Now().Add(-checkEvery)
	cert, err := c.get(nil)
	if err != nil {
		t.Fatal(err)
	}
	return cert.Certificate[0]
}

// A renewed certificate is served without a restart. Files that do not fit are not.
func TestRenewedCertificate(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	Certify(t, dir)
	c, err := loadCertificate(cert, key, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	first := c.served(t)

	later := time.Now().Add(time.Minute) // file systems may round times
	touch := func(names ...string) {
		later = later.Add(time.Minute)
		for _, name := range names {
			if err := os.Chtimes(name, later, later); err != nil {
				t.Fatal(err)
			}
		}
	}
	Certify(t, dir)
	touch(cert, key)
	c.checked = time.Now()
	if early, _ := c.get(nil); !bytes.Equal(early.Certificate[0], first) {
		t.Error("the files are looked at more often than needed")
	}
	second := c.served(t)
	if bytes.Equal(first, second) {
		t.Error("the old certificate is served")
	}

	if err := os.WriteFile(key, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	touch(key)
	if !bytes.Equal(c.served(t), second) {
		t.Error("a certificate without its key is served")
	}
}
