package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestS06 opens connections that are slow, idle, cut short or silent, and closes them.
// Afterwards the server must hold no descriptor and no goroutine for them.
func TestS06(t *testing.T) {
	p := startProcess(t, build(t))
	var stderr bytes.Buffer
	w := &wire{t: t, url: p.url, addr: strings.TrimPrefix(p.url, "http://")}
	w.do("GET", "/ext/ping")
	before := descriptors(t, p)
	var conns []net.Conn
	for n := range 500 {
		conn, err := net.Dial("tcp", w.addr)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
		fmt.Fprint(conn, []string{
			"",    // silent
			"GET", // cut in the request line
			"GET /user/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bear",                 // and in a header
			"GET /ext/ping HTTP/1.1\r\nHost: x\r\n\r\n",                               // answered, and idle
			"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\ng", // a body of which nothing more comes
			"POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n" + "Transfer-Encoding: chunked\r\n\r\n5\r\n--b\r\n", // and one without an end
		}[n%6])
	}
	// a connection is dialled before the server accepts it
	waitDescriptors(t, p, "with 500 connections", func(n int) bool { return n >= before+400 })
	for _, conn := range conns {
		conn.Close()
	}
	waitDescriptors(t, p, "after all connections are closed", func(n int) bool { return n <= before+2 })
	if a := w.do("GET", "/ext/ping"); a.status != 200 {
		t.Errorf("afterwards: %d", a.status)
	}
	p.cmd.Process.Signal(syscall.SIGQUIT) // prints all goroutines
	stderr.ReadFrom(p.stderr)
	if n := strings.Count(stderr.String(), "\ngoroutine "); n == 0 || n > 50 {
		t.Errorf("%d goroutines are left, want some 20", n)
	}
}

func waitDescriptors(t *testing.T, p *process, when string, enough func(int) bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for n := descriptors(t, p); !enough(n); n = descriptors(t, p) {
		if time.Now().After(deadline) {
			t.Fatalf("%d descriptors %s", n, when)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func descriptors(t *testing.T, p *process) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
