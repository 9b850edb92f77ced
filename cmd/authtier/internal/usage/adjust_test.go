package usage

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestAdjust(t *testing.T) {
	db, flag := newStore(t)
	count(t, db, time.Time{}, use{"app", "tile", "", firstDay, 1000})
	args := func(key, quantity, product string) []string {
		return base(flag, "adjust", "--key", key, "--client", "app", "--product", product, "--day", "2026-01-01", "--quantity", quantity, "--reason", "not delivered", "--author", "ada")
	}

	for _, tt := range []struct {
		name           string
		args           []string
		stdout, stderr string
		status         int
	}{
		{"first", args("k1", "-250", "tile"), "The adjustment is stored: -250.\nThe quantity of 2026-01-01 is now 750, of which 1,000 is counted use.\n", "", 0},
		{"again", args("k1", "-250", "tile"), "was stored before, on ", "", 0},
		{"same key, other content", args("k1", "-251", "tile"), "", `--key "k1" belongs to another adjustment`, 1},
		{"up", args("k2", "5", "tile"), "stored: +5.\nThe quantity of 2026-01-01 is now 755,", "", 0},
		{"misspelt", args("k3", "1", "tiles"), "stored: +1", `no use of product "tiles" by client "app" is counted on 2026-01-01`, 0},
	} {
		stdout, stderr, status := run(t, tt.args...)
		if status != tt.status || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) || (tt.stderr == "") != (stderr == "") {
			t.Errorf("%s: got status %d\n%s%s", tt.name, status, stdout, stderr)
		}
		if strings.Count(stderr, "\n") > 1 {
			t.Errorf("%s: the error has several lines: %s", tt.name, stderr)
		}
	}

	out, _, status := run(t, base(flag, "adjustments", append([]string{"--output", "json"}, january...)...)...)
	var all []adjustment
	if err := json.Unmarshal([]byte(out), &all); err != nil || status != 0 || len(all) != 3 {
		t.Fatalf("status %d, %v: %s", status, err, out)
	}
	if a := all[0]; a.Key != "k1" || a.Quantity != -250 || a.Reason != "not delivered" || a.Author != "ada" || a.Day != "2026-01-01" {
		t.Errorf("got %+v", a)
	}
	out, _, _ = run(t, base(flag, "adjustments", january...)...)
	if !strings.Contains(out, "k1   2026-01-01  app     tile         -250  ") {
		t.Errorf("got\n%s", out)
	}
	out, _, _ = run(t, base(flag, "adjustments", "--from", "2025-01-01", "--to", "2025-01-01")...)
	if out != "No adjustments in this period.\n" {
		t.Errorf("without any: got %q", out)
	}
}

func TestAdjustJSON(t *testing.T) {
	_, flag := newStore(t)
	args := base(flag, "adjust", "--key", "k", "--client", "app", "--product", "tile", "--day", "2026-01-01", "--quantity", "-3", "--reason", "r", "--author", "a", "--output", "json")
	for n := range 2 {
		out, _, _ := run(t, args...)
		var got adjusted
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatal(err)
		}
		if got.Repeated != (n == 1) || got.Result != -3 || got.Counted != 0 {
			t.Errorf("got %+v", got)
		}
	}
}
