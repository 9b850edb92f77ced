package services

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

type redis struct {
	sentinel     bool
	certificates *Certificates // nil without TLS
}

// Redis starts a Redis server that ends with the test. It has an append-only file that
// is synced every second. Settings are those of redis.conf, such as "appendfsync=always",
// and override these defaults.
func Redis(t testing.TB, settings ...string) *Service {
	t.Helper()
	return own(t, redis{}, settings)
}

// Certificates are PEM blocks for a server and its clients.
type Certificates struct {
	Authority        []byte // the authority that issued the certificate
	Certificate, Key []byte // of the server
}

// RedisTLS is like [Redis] with TLS alone. Servers trust the authority when they connect
// to each other.
func RedisTLS(t testing.TB, c Certificates, settings ...string) *Service {
	t.Helper()
	return own(t, redis{certificates: &c}, settings)
}

// Sentinel starts a Redis Sentinel that ends with the test. It watches nothing until a
// SENTINEL MONITOR command. It uses TLS if c is not nil.
func Sentinel(t testing.TB, c *Certificates) *Service {
	t.Helper()
	return own(t, redis{sentinel: true, certificates: c}, nil)
}

var sharedRedis = shared(redis{})

// SharedRedis returns the server that the tests of this process share. Each test should
// use a namespace of its own, see [Name], and must not pause or stop the server.
func SharedRedis(t testing.TB) *Service {
	t.Helper()
	s, err := sharedRedis()
	need(t, err)
	return s
}

func (r redis) prepare(data string) error {
	files := map[string][]byte{}
	if r.sentinel {
		files["sentinel.conf"] = nil
	}
	if r.certificates != nil {
		files["ca.pem"], files["cert.pem"], files["key.pem"] = r.certificates.Authority, r.certificates.Certificate, r.certificates.Key
	}

	if err := makeFolder(data); err != nil {
		return err
	}
	for name, content := range files {
		// The unprivileged user needs all files, and a sentinel writes to its own.
		path := filepath.Join(data, name)
		if err := errors.Join(os.WriteFile(path, content, 0o600), os.Chmod(path, 0o666)); err != nil {
			return err
		}
	}
	return nil
}

func (r redis) command(port int, settings []string) (*exec.Cmd, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("redis-server: %w", errMissing)
	}

	args := []string{"--bind", "127.0.0.1"}
	if r.sentinel {
		args = append([]string{"sentinel.conf", "--sentinel"}, args...)
	} else {
		args = append(args, "--save", "", "--appendonly", "yes")
	}
	if r.certificates == nil {
		args = append(args, "--port", strconv.Itoa(port))
	} else {
		args = append(args, "--port", "0", "--tls-port", strconv.Itoa(port), "--tls-auth-clients", "no", "--tls-replication", "yes",
			"--tls-ca-cert-file", "ca.pem", "--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem")
	}
	for _, setting := range settings {
		name, value, _ := strings.Cut(setting, "=")
		args = append(args, "--"+name, value)
	}
	return exec.Command(path, args...), nil
}

// ready reports whether the server has loaded its data. It compares process IDs, because
// another server may have taken the port.
func (r redis) ready(s *Service) bool {
	c, err := net.DialTimeout("tcp", s.Addr(), time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	if r.certificates != nil {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	}

	c.SetDeadline(time.Now().Add(time.Second))
	if _, err := c.Write([]byte("INFO\r\nQUIT\r\n")); err != nil {
		return false
	}

	wants := [][]byte{fmt.Appendf(nil, "\nprocess_id:%d\r", s.cmd.Process.Pid)}
	if !r.sentinel {
		wants = append(wants, []byte("\nloading:0\r"))
	}
	// A sentinel does not close the connection, so read no further than necessary.
	var info []byte
	for part := make([]byte, 4096); ; {
		n, err := c.Read(part)
		info = append(info, part[:n]...)
		if !slices.ContainsFunc(wants, func(want []byte) bool { return !bytes.Contains(info, want) }) {
			return true
		}
		if err != nil {
			return false
		}
	}
}

func (redis) stop() os.Signal { return syscall.SIGTERM }

func (r redis) dsn(addr string) string {
	if r.certificates != nil {
		return "rediss://" + addr + "/0"
	}
	return "redis://" + addr + "/0"
}
