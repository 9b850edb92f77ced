package main

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/authtier/authtier/store"
)

// A bridge passes counts to a store in another process. Its reports are empty, because
// that process queries the store itself.
type bridge struct {
	store.Usage
	url string
}

type recordRequest struct {
	Stream store.Stream
	Batch  store.Batch
}

type recordReply struct {
	Had    uint64
	Closed bool
	Err    string
}

// Record implements [store.Usage].
func (b *bridge) Record(ctx context.Context, s store.Stream, t store.Batch) (uint64, error) {
	var body bytes.Buffer
	if err := gob.NewEncoder(&body).Encode(recordRequest{s, t}); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url, &body)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var reply recordReply
	if err := gob.NewDecoder(resp.Body).Decode(&reply); err != nil {
		return 0, fmt.Errorf("no reply: %w", err)
	}
	switch {
	case reply.Closed:
		return 0, store.ErrStreamClosed
	case reply.Err != "":
		return 0, errors.New(reply.Err)
	}
	return reply.Had, nil
}

// Report implements [store.Usage].
func (b *bridge) Report(context.Context, store.Query) (*store.Report, error) {
	return nil, errors.ErrUnsupported
}

// listenBridge lets other processes record in u. With cut, a third of the replies are
// lost.
func listenBridge(u store.Usage, cut bool) (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request recordRequest
		if err := gob.NewDecoder(r.Body).Decode(&request); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		had, err := u.Record(r.Context(), request.Stream, request.Batch)
		if cut && rand.IntN(3) == 0 {
			panic(http.ErrAbortHandler)
		}
		reply := recordReply{Had: had, Closed: errors.Is(err, store.ErrStreamClosed)}
		if err != nil {
			reply.Err = err.Error()
		}
		gob.NewEncoder(w).Encode(reply)
	}))
	return l, nil
}
