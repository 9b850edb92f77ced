package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// products are counted: requests to two paths, and the records in the answers of one of
// them.
var products = []string{"first", "second"}

// A tally is how often a client has used one product, as far as the client knows.
type tally struct{ attempted, acknowledged atomic.Int64 }

// A load records the requests that clients have sent to a server.
type load struct {
	site    *site
	tallies [][]tally    // by client and product
	refused atomic.Int64 // answers without success
	broken  atomic.Int64 // requests without an answer
}

func newLoad(s *site) *load {
	l := &load{site: s, tallies: make([][]tally, len(s.Clients))}
	for i := range l.tallies {
		l.tallies[i] = make([]tally, len(products))
	}
	return l
}

// start lets all clients send requests until ctx ends. The function that it returns
// waits for them.
func (l *load) start(ctx context.Context, addr string) (wait func()) {
	var wg sync.WaitGroup
	for i := range l.site.Clients {
		wg.Go(func() {
			for ctx.Err() == nil {
				if l.talk(ctx, addr, i) != nil {
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	return wg.Wait
}

// talk sends requests on one connection, one after another, until it breaks. No
// request is sent twice, as net/http's own client might.
func (l *load) talk(ctx context.Context, addr string, client int) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	answers := bufio.NewReader(conn)
	for ctx.Err() == nil {
		if err := l.ask(conn, answers, client); err != nil {
			l.broken.Add(1)
			return err
		}
	}
	return nil
}

// ask sends one request, for some records.
func (l *load) ask(conn net.Conn, answers *bufio.Reader, client int) error {
	product, records := rand.IntN(len(products)), rand.Int64N(4)
	t := &l.tallies[client][product]
	t.attempted.Add(1 + records)
	if _, err := fmt.Fprintf(conn, "GET /%s/?records=%d HTTP/1.1\r\nHost: h\r\nX-API-KEY: %s\r\n\r\n", products[product], records, l.site.Clients[client].Key); err != nil {
		return err
	}
	resp, err := http.ReadResponse(answers, nil)
	if err != nil {
		return err
	}
	if resp.StatusCode == http.StatusOK {
		t.acknowledged.Add(1 + records)
	} else {
		l.refused.Add(1)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}
