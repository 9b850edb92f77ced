package main

import (
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"time"
)

// listenCutter forwards connections to the server of a DSN and cuts each after a while.
// Statements up to then are executed, but their replies are lost. It returns the DSN of
// the forwarding address.
func listenCutter(dsn string) (net.Listener, string, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return nil, "", err
	}
	if u.Port() == "" { // as the drivers do
		port := "5432"
		if u.Scheme == "redis" {
			port = "6379"
		}
		u.Host = net.JoinHostPort(u.Hostname(), port)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	to := u.Host
	u.Host = l.Addr().String()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go pass(conn, to)
		}
	}()
	return l, u.String(), nil
}

// pass forwards both directions for up to a second, and then for a moment only the
// requests.
func pass(client net.Conn, to string) {
	defer client.Close()
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer server.Close()
	cut := time.Now().Add(rand.N(time.Second))
	server.SetReadDeadline(cut)
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		io.Copy(server, client)
	}()
	io.Copy(client, server)
	select {
	case <-asked:
	case <-time.After(time.Until(cut) + 20*time.Millisecond):
	}
}
