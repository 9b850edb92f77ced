package middleware

import (
	"bufio"
	"io"
	"net"
	"net/http"

	"github.com/authtier/authtier/errorsx"
)

// A statusWriter counts a request when the header of its answer is written. If the
// request cannot be counted, the writer refuses it and drops the handler's own
// answer.
type statusWriter struct {
	http.ResponseWriter
	counter statusCounter
	refuse  func(err error) // not nil if counter may return an error
	began   bool
	err     error // the reason for which it was refused
}

// A statusCounter counts a request by the status of its answer.
type statusCounter interface{ count(status int) error }

// A statusCounterFunc is a function that implements [statusCounter].
type statusCounterFunc func(status int) error

func (f statusCounterFunc) count(status int) error { return f(status) }

// serveByStatus serves a request that counts only with some statuses.
func (w *usageWrapper) serveByStatus(rw http.ResponseWriter, r *http.Request, next http.Handler, s *state, c *counted) {
	sw := &statusWriter{ResponseWriter: rw}
	id := s.identity.Load()
	// The refusal comes from Usage, so the writer outside of Usage must render it. A
	// handler inside may be within another Errors.
	outside := s.errorsWriter()
	sw.counter = statusCounterFunc(func(status int) error { return w.countStatus(status, id, c) })
	sw.refuse = func(err error) {
		// These headers of the handler describe its own answer, not the refusal.
		for _, name := range []string{"Content-Encoding", "Content-Range", "Etag", "Last-Modified", "Location"} {
			rw.Header().Del(name)
		}
		outside.Refuse(rw, r, "", err)
	}

	next.ServeHTTP(sw, r)
	sw.begin(http.StatusOK)
}

// countStatus counts one use if CountStatus reports true. The counter may have ended
// since the request was admitted; then another one is used.
func (w *usageWrapper) countStatus(status int, id *Identity, c *counted) (err error) {
	defer errorsx.Recovered("middleware: counting by status", &err)
	if !w.cfg.CountStatus(status) || c.add(1) == nil {
		return nil
	}
	add, err := w.meter.Counter(c.day, id.Issuer, id.Client)
	if err == nil {
		err = add(1)
	}
	if err != nil && !w.cfg.AllowUncounted {
		return &errorsx.Error{Code: errorsx.Internal, Client: id.Client, Err: err}
	}
	return nil
}

// begin counts the request before the header is written. It returns false if the
// answer is a refusal.
func (w *statusWriter) begin(status int) bool {
	if !w.began {
		w.began = true
		if w.err = w.counter.count(status); w.err != nil {
			w.refuse(w.err)
		}
	}
	return w.err == nil
}

func (w *statusWriter) WriteHeader(status int) {
	informational := status < 200 && status != http.StatusSwitchingProtocols
	if informational && w.err == nil || w.begin(status) {
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if !w.begin(http.StatusOK) {
		return 0, w.err
	}
	return w.ResponseWriter.Write(b)
}

// ReadFrom writes the first 512 bytes through w, so that the server can detect the
// content type. Then it lets the server copy the rest in its own way.
func (w *statusWriter) ReadFrom(r io.Reader) (n int64, err error) {
	const first = 512
	if n, err = io.CopyN(justWriter{w}, r, first); err == io.EOF {
		return n, nil
	} else if err != nil {
		return n, err
	}
	rest, err := io.Copy(w.ResponseWriter, r)
	return n + rest, err
}

// justWriter hides the other methods of a writer.
type justWriter struct{ io.Writer }

func (w *statusWriter) Flush() { w.FlushError() }

func (w *statusWriter) FlushError() error {
	if !w.begin(http.StatusOK) {
		return w.err
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

func (w *statusWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil || w.began {
		return conn, rw, err
	}
	w.began = true
	if w.err = w.counter.count(http.StatusSwitchingProtocols); w.err != nil {
		conn.Close()
		return nil, nil, w.err
	}
	return conn, rw, nil
}

// CloseNotify implements [http.CloseNotifier], which is deprecated. Some frameworks still
// require it of every writer: without it, a stream of gin panics. If no wrapped writer
// has it, the channel is nil, and a receive from it blocks forever.
func (w *statusWriter) CloseNotify() <-chan bool {
	inner := w.ResponseWriter
	for {
		switch v := inner.(type) {
		case interface{ CloseNotify() <-chan bool }:
			return v.CloseNotify()
		case interface{ Unwrap() http.ResponseWriter }:
			inner = v.Unwrap()
		default:
			return nil
		}
	}
}

// Unwrap returns the wrapped writer, for [http.ResponseController].
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
