package main

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// TestDemoLooksAtItsListener uses a listener on the network. The demo must not serve
// its made-up credentials there, even if the host name was localhost.
func TestDemoLooksAtItsListener(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", "[::]:0", ":0"} {
		err := demo(t.Context(), demoFlags{addr: addr, sessionTimeout: time.Minute}, io.Discard)
		if err == nil || !strings.Contains(err.Error(), "loopback") {
			t.Errorf("%s: got %v", addr, err)
		}
	}
	for ip, ok := range map[string]bool{"127.0.0.1": true, "127.9.9.9": true, "::1": true, "192.0.2.1": false, "0.0.0.0": false} {
		if err := onLoopback(&net.TCPAddr{IP: net.ParseIP(ip)}); (err == nil) != ok {
			t.Errorf("%s: got %v", ip, err)
		}
	}
}
