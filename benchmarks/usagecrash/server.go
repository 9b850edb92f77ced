package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
	"github.com/authtier/authtier/store/meter"
)

// serve runs the server. It writes its address to out, and closes when in ends.
func serve(encoded string, in io.Reader, out io.Writer) error {
	ctx := context.Background()
	var s site
	if err := json.Unmarshal([]byte(encoded), &s); err != nil {
		return err
	}
	var db store.Usage
	err := patiently(func() (err error) {
		db, err = openUsage(ctx, s.Kind, s.DSN)
		return err
	})
	if err != nil {
		return err
	}
	m, err := meter.Open(ctx, s.Folder, db, &meter.Config{Unmapped: s.Unmapped})
	if err != nil {
		return err
	}
	h, err := s.handler(ctx, m)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: h}
	go server.Serve(l)
	go flushNowAndThen(ctx, m)
	if _, err := io.WriteString(out, l.Addr().String()+"\n"); err != nil {
		return err
	}
	io.Copy(io.Discard, in)
	return errors.Join(server.Shutdown(ctx), patiently(m.Close), errDone)
}

// patiently retries f for a while, because the store's connection may be cut.
func patiently(f func() error) (err error) {
	for began := time.Now(); time.Since(began) < 20*time.Second; time.Sleep(10 * time.Millisecond) {
		if err = f(); err == nil {
			return nil
		}
	}
	return err
}

// errDone ends a server as one should.
var errDone = errors.New("done")

// flushNowAndThen flushes at random times, as reports do. A server that lives less than
// a second is then killed during a flush, too.
func flushNowAndThen(ctx context.Context, m *meter.Meter) {
	for {
		time.Sleep(rand.N(100 * time.Millisecond))
		m.Flush(ctx)
	}
}

// handler is the whole chain: tiers, API key, cache and usage. Clients are in
// memory; only usage is in the store.
func (s *site) handler(ctx context.Context, m *meter.Meter) (http.Handler, error) {
	db := memory.New()
	iss, err := issuer.New(ctx, s.Issuer, db, &issuer.Config{AllowEphemeralKeys: true})
	if err != nil {
		return nil, err
	}
	for _, c := range s.Clients {
		err := errors.Join(db.CreateClient(ctx, store.Client{ID: c.ID}), db.CreateAPIKeys(ctx, c.record()))
		if err != nil {
			return nil, err
		}
	}
	go iss.Run(ctx)
	cache, err := middleware.NewCache(iss, 1000, nil)
	if err != nil {
		return nil, err
	}
	key := middleware.APIKey(cache, nil)
	tiers := middleware.TierTable{}
	for _, name := range products {
		p, err := m.Product(s.API, name, name+" product")
		if err != nil {
			return nil, err
		}
		tiers["/"+name+"/"] = middleware.Chain(key, middleware.Usage(p, nil))
	}
	return middleware.Tiers(tiers, nil)(http.HandlerFunc(answer)), nil
}

// answer counts the records that it was asked for.
func answer(w http.ResponseWriter, r *http.Request) {
	if n, err := strconv.ParseInt(r.FormValue("records"), 10, 64); err == nil && n > 0 {
		if err := middleware.AddUsage(r.Context(), n); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	io.WriteString(w, "ok\n")
}
