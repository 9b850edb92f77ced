package serve_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authtier/authtier/cmd/authtier/internal/serve"
)

// certify writes a certificate for this machine and its key to cert.pem and key.pem.
func (h *home) certify(t *testing.T) *x509.CertPool {
	t.Helper()
	return serve.Certify(t, h.dir)
}

func TestTLS(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	pool := h.certify(t)
	p := h.start(t, "--issuer=", "--tls-cert", "cert.pem", "--tls-key", "key.pem")
	if !strings.HasPrefix(p.url, "https://") {
		t.Fatalf("it listens on %s", p.url)
	}
	p.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	p.get("/.well-known/oauth-authorization-server").want(t, 200, `"issuer":"`+p.url+`"`)
	p.get("/me", "X-API-KEY", h.key).want(t, 200, `"client_id":"acme"`)

	plain, err := http.Get("http://" + strings.TrimPrefix(p.url, "https://") + "/healthz")
	if err != nil || plain.StatusCode != 400 {
		t.Errorf("plain HTTP: %v, %v", plain, err)
	}
	p.stop()
}

// The key of another certificate is refused.
func TestTLSFilesThatDoNotFit(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.certify(t)
	must(t, os.Rename(filepath.Join(h.dir, "key.pem"), filepath.Join(h.dir, "other.pem")))
	h.certify(t)
	h.wantRefusal(t, 1, nil, []string{"--addr", "127.0.0.1:0", "--tls-cert", "cert.pem", "--tls-key", "other.pem"}, "--tls-cert", "other.pem")
}

// Beyond loopback with a proxy, clients on the network are refused, and health checks are
// answered. The issuer is the proxy's URL.
func TestProxiesOnly(t *testing.T) {
	t.Parallel()
	own := address(t)
	h := newHome(t)
	p := h.start(t, "--addr", own+":0", "--issuer", "https://id.example.com/auth", "--trusted-proxy", "192.0.2.1,192.0.2.128/25")
	p.get("/healthz").want(t, 200, "ok")
	p.get("/readyz").want(t, 200, "ok")
	p.get("/me", "X-API-KEY", h.key).want(t, 403, `"AUTH-7"`)
	p.get("/auth/oauth2/token").want(t, 403, `"AUTH-7"`)
	p.stop()

	p = h.start(t, "--addr", own+":0", "--issuer", "https://id.example.com/auth", "--trusted-proxy", own)
	p.get("/me", "X-API-KEY", h.key).want(t, 200, `"issuer":"https://id.example.com/auth"`)
	p.get("/.well-known/oauth-authorization-server/auth").want(t, 200, "https://id.example.com/auth/oauth2/token")
	p.get("/auth/.well-known/jwks.json").want(t, 200, `"kid"`)
	p.get("/oauth2/token").want(t, 404, `"AUTH-6"`)

	// The proxy says whether its client uses TLS.
	login := []string{"Authorization", "Basic YWRhOmNvcnJlY3QgaG9yc2U="}
	for proto, secure := range map[string]bool{"https": true, "http": false} {
		a := p.get("/api/login", append(login, "X-Forwarded-Proto", proto, "X-Forwarded-For", "203.0.113.9")...)
		if cookie := a.header.Get("Set-Cookie"); a.status != 200 || strings.Contains(cookie, "Secure") != secure {
			t.Errorf("%s: %d %s", proto, a.status, cookie)
		}
	}
	p.stop()
}

// address returns an address of this machine that is not on loopback.
func address(t *testing.T) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	must(t, err)
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			return n.IP.String()
		}
	}
	t.Skip("this machine has no address beyond loopback")
	return ""
}

// The metrics count requests and name neither clients nor users.
func TestMetrics(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	p := h.start(t, "--metrics-addr", "127.0.0.1:0")
	p.get("/me", "X-API-KEY", h.key).want(t, 200, "")
	p.get("/me", "X-API-KEY", h.key).want(t, 200, "")
	p.get("/me").want(t, 401, "")
	p.get("/api/login", "Authorization", "Basic YWRhOmNvcnJlY3QgaG9yc2U=").want(t, 200, "")

	resp, err := http.Get(p.logged(`metrics on (http://127\.0\.0\.1:[0-9]+/metrics)`))
	must(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	for _, want := range []string{
		`authtier_requests_total{code="",status="200",tier="/me/"} 2`,
		`authtier_requests_total{code="AUTH-2",status="401",tier="/me/"} 1`,
		`authtier_uncached_requests_total{tier="/me/"} 1`,
		`authtier_request_duration_seconds_count{tier="/me/"} 3`,
		"authtier_usage_counters 1", "authtier_usage_journal_bytes ", "authtier_usage_unreadable_files 0", "go_goroutines ",
	} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("%s is missing", want)
		}
	}
	for _, name := range []string{"acme", `"ada"`, h.key, url} {
		if bytes.Contains(text, []byte(name)) {
			t.Errorf("the metrics contain %q", name)
		}
	}
	p.get("/metrics").want(t, 404, "")
	p.stop()
}
