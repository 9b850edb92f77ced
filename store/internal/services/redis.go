package services

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

type redis struct{}

// Redis starts a Redis server that ends with the test. It has an append-only file that
// is synced every second. Settings are those of redis.conf, such as "appendfsync=always",
// and override these defaults.
func Redis(t testing.TB, settings ...string) *Service {
	t.Helper()
	return own(t, redis{}, settings)
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

func (redis) prepare(data string) error { return makeFolder(data) }

func (redis) command(port int, settings []string) (*exec.Cmd, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("redis-server: %w", errMissing)
	}
	args := []string{"--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--save", "", "--appendonly", "yes"}
	for _, setting := range settings {
		name, value, _ := strings.Cut(setting, "=")
		args = append(args, "--"+name, value)
	}
	return exec.Command(path, args...), nil
}

// ready reports whether the server has loaded its data. It compares process IDs, because
// another server may have taken the port.
func (redis) ready(s *Service) bool {
	c, err := net.DialTimeout("tcp", s.Addr(), time.Second)
	if err != nil {
		return false
	}
	defer c.Close()

	c.SetDeadline(time.Now().Add(time.Second))
	if _, err := c.Write([]byte("INFO\r\nQUIT\r\n")); err != nil {
		return false
	}
	info, err := io.ReadAll(c)
	return err == nil && bytes.Contains(info, []byte("\nloading:0\r")) &&
		bytes.Contains(info, fmt.Appendf(nil, "\nprocess_id:%d\r", s.cmd.Process.Pid))
}

func (redis) stop() os.Signal { return syscall.SIGTERM }

func (redis) dsn(addr string) string { return "redis://" + addr + "/0" }
