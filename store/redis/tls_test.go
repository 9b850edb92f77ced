package redis_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/authtier/authtier/store/internal/services"
	"github.com/authtier/authtier/store/redis"
)

// An authority issues certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pool        *x509.CertPool // holds the certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "an authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key, pool: x509.NewCertPool()}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.certificate)
	return a
}

// issue returns a certificate for a host, which may be an address.
func (a *authority) issue(t *testing.T, host string) services.Certificates {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "a server"},
		NotBefore: a.certificate.NotBefore, NotAfter: a.certificate.NotAfter,
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}

	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return services.Certificates{
		Authority:   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw}),
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
	}
}

// rawTLS is like raw, with TLS.
func rawTLS(t *testing.T, s *services.Service) *goredis.Client {
	t.Helper()
	db := goredis.NewClient(&goredis.Options{
		Addr: s.Addr(), DisableIdentity: true, TLSConfig: &tls.Config{InsecureSkipVerify: true},
	})
	t.Cleanup(func() { db.Close() })
	return db
}

// testTrust checks that Open trusts the server at dsn for its authority alone.
func testTrust(t *testing.T, dsn string, a *authority) {
	t.Helper()
	x509.SystemCertPool() // reads the files, for which the time of a call may be too short
	for name, pool := range map[string]*x509.CertPool{
		"another authority": newAuthority(t).pool, "no authority": x509.NewCertPool(), "the system": nil,
	} {
		s, err := redis.Open(t.Context(), dsn, &redis.Config{RootCAs: pool})
		if err == nil {
			s.Close()
			t.Errorf("%s: opened", name)
		} else if !strings.Contains(err.Error(), "certificate") || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %v, want an error about the certificate", name, err)
		}
	}
	h := open(t, dsn, redis.Config{RootCAs: a.pool})
	testSmoke(t, h, open(t, dsn, redis.Config{RootCAs: a.pool}))
}

// TestS02RootCAs opens a server whose certificate a private authority has issued.
func TestS02RootCAs(t *testing.T) {
	a := newAuthority(t)
	s := services.RedisTLS(t, a.issue(t, "127.0.0.1"))
	do(t, rawTLS(t, s), "CONFIG", "SET", "requirepass", "canary")
	testTrust(t, "rediss://:canary@"+s.Addr()+"/0", a)

	wrong := "rediss://:canary@localhost:" + port(s) + "/0"
	refused(t, wrong, redis.Config{RootCAs: a.pool}, "match localhost")
	open(t, wrong+"?skip_verify=true", redis.Config{})
	refused(t, wrong+"?skip_verify=true", redis.Config{RootCAs: a.pool}, "skip_verify")
	for _, dsn := range []string{
		"redis://127.0.0.1:1/0", "unix:///nonexistent/socket", "redis://127.0.0.1:1?addr=127.0.0.1:2", "redis://127.0.0.1:1?master_name=m",
	} {
		refused(t, dsn, redis.Config{RootCAs: a.pool}, "the DSN has no TLS")
	}
}

// TestS02RootCAsCluster opens such a server that is a cluster.
func TestS02RootCAsCluster(t *testing.T) {
	a := newAuthority(t)
	s := services.RedisTLS(t, a.issue(t, "127.0.0.1"), "cluster-enabled=yes", "tls-cluster=yes")
	begin(t, rawTLS(t, s))
	testTrust(t, "rediss://"+s.Addr()+"?addr="+s.Addr(), a)
}

// TestS02RootCAsSentinel opens such a server through a sentinel. Each has a certificate
// for its own address only.
func TestS02RootCAsSentinel(t *testing.T) {
	a := newAuthority(t)
	forSentinel := a.issue(t, "localhost")
	master, sentinel := services.RedisTLS(t, a.issue(t, "127.0.0.1")), services.Sentinel(t, &forSentinel)
	do(t, rawTLS(t, sentinel), "SENTINEL", "MONITOR", "m", "127.0.0.1", port(master), 1)
	testTrust(t, "rediss://localhost:"+port(sentinel)+"/0?master_name=m", a)

	// The name of the sentinel does not vouch for the server.
	other := services.RedisTLS(t, forSentinel)
	do(t, rawTLS(t, sentinel), "SENTINEL", "MONITOR", "other", "127.0.0.1", port(other), 1)
	refused(t, "rediss://localhost:"+port(sentinel)+"/0?master_name=other", redis.Config{RootCAs: a.pool}, "127.0.0.1")
}
