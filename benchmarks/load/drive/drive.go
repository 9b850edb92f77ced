// Package drive sends requests to an HTTP server on keep-alive connections and
// measures how long the answers take.
//
//	requests := [][]byte{drive.Get("/", "Authorization", "Bearer "+token)}
//	result := drive.Run(ctx, "127.0.0.1:8080", requests, 32, 5*time.Second)
//	fmt.Println(result.PerSecond(), result.Status(200).Quantile(0.99))
//
// It is a closed loop: each connection sends its next request when it has read the
// answer to the last one. It reads no more of HTTP than it must, so that the generator
// takes little of the processors that it shares with the server.
package drive

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"
)

// A Result holds the measurements of one run.
type Result struct {
	Elapsed time.Duration

	// Err is the reason why connections ended early, or nil. Their earlier answers
	// count.
	Err error

	statuses map[int]*Histogram
}

// All returns the durations of all answers.
func (r Result) All() *Histogram {
	all := &Histogram{}
	for _, h := range r.statuses {
		all.merge(h)
	}
	return all
}

// Status returns the durations of the answers with that status.
func (r Result) Status(status int) *Histogram {
	if h := r.statuses[status]; h != nil {
		return h
	}
	return &Histogram{}
}

// PerSecond returns how many answers came in a second.
func (r Result) PerSecond() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.All().Count()) / r.Elapsed.Seconds()
}

// Get returns a GET request for a target, with headers as name, value, name,
// value.
func Get(target string, headers ...string) []byte {
	b := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n", target)
	for i := 0; i+1 < len(headers); i += 2 {
		b = fmt.Appendf(b, "%s: %s\r\n", headers[i], headers[i+1])
	}
	return append(b, "\r\n"...)
}

// Run sends requests to addr on that many connections until d is over or ctx
// ends. Each connection has a share of the requests to itself, and repeats it;
// with fewer requests than connections, several share one.
//
// Requests are sent as they are. Their answers must have a Content-Length and
// leave the connection open.
func Run(ctx context.Context, addr string, requests [][]byte, conns int, d time.Duration) Result {
	if len(requests) == 0 || conns <= 0 {
		return Result{Err: fmt.Errorf("drive: %d requests on %d connections", len(requests), conns)}
	}
	open, err := dial(ctx, addr, conns)
	if err != nil {
		return Result{Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	results := make([]Result, conns)
	var wg sync.WaitGroup
	began := time.Now()
	for i, conn := range open {
		first, end := i*len(requests)/conns, (i+1)*len(requests)/conns
		share := requests[first:max(first+1, end)]
		wg.Go(func() { results[i] = connection(ctx, conn, share) })
	}
	wg.Wait()
	return sum(results, time.Since(began))
}

// dial opens connections. This time is not measured.
func dial(ctx context.Context, addr string, conns int) (open []net.Conn, err error) {
	var d net.Dialer
	for range conns {
		conn, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			for _, c := range open {
				c.Close()
			}
			return nil, err
		}
		open = append(open, conn)
	}
	return open, nil
}

func sum(results []Result, elapsed time.Duration) Result {
	total := Result{Elapsed: elapsed, statuses: map[int]*Histogram{}}
	for _, r := range results {
		total.Err = errors.Join(total.Err, r.Err)
		for status, h := range r.statuses {
			if total.statuses[status] == nil {
				total.statuses[status] = &Histogram{}
			}
			total.statuses[status].merge(h)
		}
	}
	return total
}

// connection repeats requests on one connection until ctx ends, and closes it.
func connection(ctx context.Context, conn net.Conn, requests [][]byte) Result {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	statuses := map[int]*Histogram{}
	answers := bufio.NewReader(conn)
	for i := 0; ; i++ {
		began := time.Now()
		status, err := exchange(conn, answers, requests[i%len(requests)])
		switch {
		case ctx.Err() != nil:
			return Result{statuses: statuses}
		case err != nil:
			return Result{statuses: statuses, Err: err}
		}
		if statuses[status] == nil {
			statuses[status] = &Histogram{}
		}
		statuses[status].add(time.Since(began))
	}
}

// exchange sends a request and reads its answer to the end.
func exchange(w io.Writer, r *bufio.Reader, request []byte) (status int, err error) {
	if _, err := w.Write(request); err != nil {
		return 0, err
	}
	line, err := r.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, fmt.Errorf("drive: status line %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, fmt.Errorf("drive: status line: %w", err)
	}
	length, err := headers(r)
	if err != nil {
		return 0, err
	}
	_, err = r.Discard(length)
	return status, err
}

// headers reads an answer's headers and returns its Content-Length.
func headers(r *bufio.Reader) (length int, err error) {
	length = -1
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if len(name) == len("Content-Length") && bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, fmt.Errorf("drive: Content-Length: %w", err)
			}
		}
	}
	if length < 0 {
		return 0, errors.New("drive: an answer without a Content-Length")
	}
	return length, nil
}
