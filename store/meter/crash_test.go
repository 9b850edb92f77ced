package meter_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/authtier/authtier/store/memory"
	"github.com/authtier/authtier/store/meter"
)

// childFolder names the environment variable with the folder of a child's journal.
const childFolder = "AUTHTIER_METER_FOLDER"

const childClients = 20

func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		fmt.Fprintln(os.Stderr, countForEver(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// countForEver counts, and prints each count before and after it. It records in a store
// that ends with the process.
func countForEver(dir string) error {
	ctx := context.Background()
	m, err := meter.Open(ctx, dir, memory.New(), nil)
	if err != nil {
		return err
	}
	p, err := m.Product("api", "p", "")
	if err != nil {
		return err
	}
	for i := rand.IntN(childClients); ; i++ {
		client := i % childClients
		if i%7 == 0 { // make new counters all the time, and so new files
			if _, err := p.Counter(day, "iss", fmt.Sprint("idle ", i, rand.Uint64())); err != nil {
				return err
			}
		}
		fmt.Println("try", client)
		add, err := p.Counter(day, "iss", clientName(client))
		if err == nil {
			err = add(3)
		}
		if err != nil {
			return err
		}
		fmt.Println("did", client)
	}
}

// killChild lets a child count for a while, kills it, and adds up the printed counts.
func killChild(t *testing.T, dir string, tried, did map[string]int64) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childFolder+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewScanner(out)
	until := 200 + rand.IntN(20_000)
	for n := 0; lines.Scan(); n++ {
		var word string
		var client int
		if _, err := fmt.Sscan(lines.Text(), &word, &client); err != nil {
			break // the last line may be incomplete
		}
		switch word {
		case "try":
			tried[clientName(client)] += 3
		case "did":
			did[clientName(client)] += 3
		}
		if n == until {
			must(t, cmd.Process.Kill())
		}
	}
	cmd.Wait()
}

// TestKilled repeatedly kills a process that counts, each time with a larger journal. The
// next process must record its counts.
func TestKilled(t *testing.T) {
	dir, db := filepath.Join(t.TempDir(), "usage"), memory.New()
	tried, did := map[string]int64{}, map[string]int64{}
	for round := range 6 {
		killChild(t, dir, tried, did)
		m := open(t, dir, db, meter.Config{})
		use(t, product(t, m, "p"), clientName(0), 1)
		tried[clientName(0)]++
		did[clientName(0)]++
		must(t, m.Flush(t.Context()))
		got := reported(t, db, day)
		for client := range did {
			if n := got[client+" p"]; n < did[client] || n > tried[client] {
				t.Errorf("round %d: %s: %d counted, %d acknowledged and %d attempted", round, client, n, did[client], tried[client])
			}
		}
		if s := m.Stats(); len(s.Asides) != 0 || s.Unflushed != 0 {
			t.Errorf("round %d: %+v", round, s)
		}
		if round%2 == 0 {
			must(t, m.Close())
		}
	}
}

// TestSiblingDies kills one of two processes that share a folder. The other one must
// record its counts without a restart.
func TestSiblingDies(t *testing.T) {
	dir, db := filepath.Join(t.TempDir(), "usage"), memory.New()
	m := open(t, dir, db, meter.Config{})
	tried, did := map[string]int64{}, map[string]int64{}
	killChild(t, dir, tried, did)
	must(t, m.Scan())
	must(t, m.Flush(t.Context()))
	for client, n := range did {
		if got := reported(t, db, day)[client+" p"]; got < n || got > tried[client] {
			t.Errorf("%s: %d counted, %d acknowledged and %d attempted", client, got, n, tried[client])
		}
	}
}
