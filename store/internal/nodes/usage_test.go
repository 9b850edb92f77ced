package nodes

import (
	"fmt"
	"maps"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/meter"
)

// A counting is a node that has a meter with a journal, and goroutines that count in it.
type counting struct {
	meter *meter.Meter
	did   [4]atomic.Int64
}

func today() int { return int(time.Now().Unix() / (24 * 60 * 60)) }

// newCounting starts a counting. It counts until the returned function is called.
func newCounting(t *testing.T, db store.Usage) (c *counting, stop func()) {
	t.Helper()
	m, err := meter.Open(t.Context(), filepath.Join(t.TempDir(), "usage"), db, nil)
	must(t, err)
	p, err := m.Product("api", "p", "")
	must(t, err)
	c = &counting{meter: m}
	var wg sync.WaitGroup
	end := make(chan struct{})
	for i := range c.did {
		wg.Go(func() {
			for {
				select {
				case <-end:
					return
				case <-time.After(100 * time.Microsecond):
				}
				add, err := p.Counter(today(), "iss", fmt.Sprint("client ", i))
				if err == nil {
					err = add(1)
				}
				if err != nil {
					t.Error(err)
					return
				}
				c.did[i].Add(1)
			}
		})
	}
	return c, sync.OnceFunc(func() {
		close(end)
		eventually(t, 30*time.Second, "told", func() bool { return m.Flush(t.Context()) == nil })
		must(t, m.Close())
		wg.Wait()
	})
}

// quantities returns the store's report by client.
func quantities(t *testing.T, db store.Usage) map[string]int64 {
	t.Helper()
	report, err := db.Report(t.Context(), store.Query{API: "api", Issuer: "iss", From: store.Day(today() - 1), To: store.Day(today())})
	must(t, err)
	got := map[string]int64{}
	for r, err := range report.Rows() {
		must(t, err)
		got[r.Client] = r.Quantity
	}
	return got
}

// checkCounts compares the store's report with the uses that the nodes have counted.
func checkCounts(t *testing.T, db store.Usage, nodes ...*counting) {
	t.Helper()
	got := quantities(t, db)
	for i := range nodes[0].did {
		var want int64
		for _, n := range nodes {
			want += n.did[i].Load()
		}
		if client := fmt.Sprint("client ", i); got[client] != want || want == 0 {
			t.Errorf("%s: %d counted, want %d", client, got[client], want)
		}
	}
}

// TestU07UsageWhileServerDies kills the store's server, cuts its connections, and puts it
// back to an earlier copy, while two nodes count. Nothing may be lost or counted twice.
func TestU07UsageWhileServerDies(t *testing.T) {
	onServers(t, func(t *testing.T, kind server) {
		s := kind.start(t)
		proxy, dsn := proxied(t, s)
		db, err := kind.open(t.Context(), dsn)
		must(t, err)
		t.Cleanup(func() { db.Close() })
		first, stop1 := newCounting(t, db)
		second, stop2 := newCounting(t, db)
		step := func(f func()) {
			time.Sleep(1200 * time.Millisecond)
			f()
		}
		step(func() { s.CopyData(t) })
		step(func() { s.Kill(t); s.Start(t) })
		step(proxy.Reset)
		step(func() { s.RestoreData(t) })
		step(func() { s.Kill(t); s.Start(t) })
		stop1()
		stop2()
		checkCounts(t, db, first, second)
	})
}

// TestNamesAfterPutBack puts a server back to an earlier copy. Afterwards the names of
// clients get other numbers than before. A node that remembers the old numbers must not
// bill a client for the use of another one.
func TestNamesAfterPutBack(t *testing.T) {
	onServers(t, func(t *testing.T, kind server) {
		s := kind.start(t)
		type node struct {
			meter   *meter.Meter
			product *meter.Product
		}
		var nodes [2]node
		var db closable
		for i := range nodes {
			opened, err := kind.open(t.Context(), s.DSN())
			must(t, err)
			t.Cleanup(func() { opened.Close() })
			db = opened
			m := meter.New(db) // records only when the test flushes it
			p, err := m.Product("api", "p", "")
			must(t, err)
			nodes[i] = node{m, p}
		}
		flush := func(n node) {
			eventually(t, 30*time.Second, "told", func() bool { return n.meter.Flush(t.Context()) == nil })
		}
		count := func(n node, client string, quantity int64) {
			add, err := n.product.Counter(today(), "iss", client)
			must(t, err)
			must(t, add(quantity))
			flush(n)
		}
		count(nodes[0], "first", 1)
		count(nodes[1], "first", 1)
		s.CopyData(t)
		for _, client := range []string{"bob", "alice", "carol"} {
			count(nodes[0], client, 10)
			count(nodes[1], client, 10)
		}
		count(nodes[0], "bob", 1000)
		s.RestoreData(t)
		flush(nodes[1])
		flush(nodes[0])
		if want := (map[string]int64{"first": 2, "alice": 20, "bob": 1020, "carol": 20}); !maps.Equal(quantities(t, db), want) {
			t.Errorf("got %v, want %v", quantities(t, db), want)
		}
	})
}
