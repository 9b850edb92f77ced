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

// TestS06 opens connections that are slow, idle, cut short or never
// say anything, closes them, and wants the server to hold nothing for them: no
// descriptor and no goroutine.
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
	if open := descriptors(t, p); open < before+400 {
		t.Fatalf("%d descriptors before 500 connections, %d with them", before, open)
	}
	for _, conn := range conns {
		conn.Close()
	}
	deadline := time.Now().Add(20 * time.Second)
	for descriptors(t, p) > before+2 {
		if time.Now().After(deadline) {
			t.Fatalf("%d descriptors before, %d after all connections are closed", before, descriptors(t, p))
		}
		time.Sleep(20 * time.Millisecond)
	}
	if a := w.do("GET", "/ext/ping"); a.status != 200 {
		t.Errorf("afterwards: %d", a.status)
	}
	p.cmd.Process.Signal(syscall.SIGQUIT) // prints all goroutines
	stderr.ReadFrom(p.stderr)
	if n := strings.Count(stderr.String(), "\ngoroutine "); n == 0 || n > 50 {
		t.Errorf("%d goroutines are left, want some 20", n)
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
