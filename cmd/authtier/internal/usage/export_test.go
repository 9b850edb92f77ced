package usage

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
)

// TestCSVIsNoFormula follows the rule of the partner's report.
func TestCSVIsNoFormula(t *testing.T) {
	db, flag := newStore(t)
	var uses []use
	for _, first := range []string{"=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"} {
		uses = append(uses, use{first + "cmd|' /C calc'!A0", "tile", first + `"label", x`, firstDay, 1})
	}
	count(t, db, time.Time{}, uses...)
	adjustUse(t, db, "zz", "tile", firstDay, -5, "r")

	out, stderr, status := run(t, base(flag, "export", append([]string{"--csv", "-", "--by-day"}, january...)...)...)
	if status != 0 {
		t.Fatal(stderr)
	}
	lines, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || len(lines) != len(uses)+2 {
		t.Fatalf("%v: %q", err, out)
	}
	if want := []string{"client_id", "product", "label", "quantities", "adjusted", "day"}; !reflect.DeepEqual(lines[0], want) {
		t.Errorf("the header is %q, want %q", lines[0], want)
	}
	for _, line := range lines[1:] {
		for n, cell := range line {
			if n != 3 && n != 4 && strings.TrimLeft(cell, "=+-@\t\r＝＋－＠") != cell {
				t.Errorf("cell %d is %q, a formula", n, cell)
			}
		}
	}
	if want := []string{"zz", "tile", "", "-5", "-5", "2026-01-01"}; !slices.ContainsFunc(lines, func(line []string) bool { return slices.Equal(line, want) }) {
		t.Errorf("the lines are %q, want one to be %q", lines, want)
	}
}

func TestExportFile(t *testing.T) {
	db, flag := newStore(t)
	month(t, db)
	folder := t.TempDir()
	for _, format := range formats {
		name := filepath.Join(folder, "usage."+format.name)
		export := func(more ...string) (string, int) {
			stdout, stderr, status := run(t, base(flag, "export", append(append([]string{"--" + format.name, name}, january...), more...)...)...)
			if stdout != "" {
				t.Errorf("%s: printed %q", format.name, stdout)
			}
			return stderr, status
		}

		if stderr, status := export(); status != 0 || stderr != "written: "+name+"\n" {
			t.Errorf("%s: status %d, %s", format.name, status, stderr)
		}
		info, err := os.Stat(name)
		if err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
			t.Fatalf("%s: %v, %v", format.name, info.Mode(), err)
		}

		if stderr, status := export(); status != 1 || !strings.Contains(stderr, "--overwrite") {
			t.Errorf("%s, again: status %d, %s", format.name, status, stderr)
		}
		if stderr, status := export("--overwrite"); status != 0 {
			t.Errorf("%s, overwritten: status %d, %s", format.name, status, stderr)
		}
	}
	if left, _ := os.ReadDir(folder); len(left) != len(formats) {
		t.Errorf("the folder holds %v", left)
	}
}

// TestWriteFileLeavesNothing checks that a failure leaves neither a part of the file nor a
// temporary one, and that an old file stays.
func TestWriteFileLeavesNothing(t *testing.T) {
	folder := t.TempDir()
	name := filepath.Join(folder, "usage.csv")
	failing := func(w io.Writer) error {
		io.WriteString(w, "half")
		return errors.New("the store fails")
	}
	if err := writeFile(name, false, failing); err == nil {
		t.Error("no error")
	}
	if left, _ := os.ReadDir(folder); len(left) != 0 {
		t.Errorf("left: %v", left)
	}

	if err := os.WriteFile(name, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(name, true, failing); err == nil {
		t.Error("no error")
	}
	// Another program makes the file while this one writes.
	other := filepath.Join(folder, "other.csv")
	err := writeFile(other, false, func(w io.Writer) error { return os.WriteFile(other, []byte("old"), 0o600) })
	if err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("got %v", err)
	}
	for _, kept := range []string{name, other} {
		if text, err := os.ReadFile(kept); string(text) != "old" {
			t.Errorf("%s holds %q, %v", kept, text, err)
		}
	}
	if left, _ := os.ReadDir(folder); len(left) != 2 {
		t.Errorf("left: %v", left)
	}

	// With --overwrite too, only a file is replaced.
	link := filepath.Join(t.TempDir(), "link.csv")
	if err := os.Symlink(name, link); err == nil { // Windows may refuse it
		if err := writeFile(link, true, func(io.Writer) error { return nil }); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("a link: got %v", err)
		}
	}
	if err := writeFile(folder, true, func(io.Writer) error { return nil }); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: got %v", err)
	}
}

func TestExportOfABrokenStore(t *testing.T) {
	broken := errors.New("broken")
	db := brokenUsage{err: broken}
	q := store.Query{API: testAPI, Issuer: testIssuer, From: firstDay, To: firstDay + 1, ByDay: true}
	for _, format := range formats {
		if err := format.write(t.Context(), io.Discard, db, q); !errors.Is(err, broken) {
			t.Errorf("%s: got %v, want %v", format.name, err, broken)
		}
	}
}

// A brokenUsage yields one row and then fails.
type brokenUsage struct {
	store.Usage
	err error
}

func (b brokenUsage) Report(_ context.Context, q store.Query) (*store.Report, error) {
	return store.NewReport(func(yield func(store.Row, error) bool) {
		if yield(store.Row{Client: "c", Product: "p", Day: q.From, Quantity: 1}, nil) {
			yield(store.Row{}, b.err)
		}
	}, time.Now()), nil
}

func TestPage(t *testing.T) {
	for name, tt := range map[string]struct {
		uses []use
		args []string
		has  []string
		not  []string
	}{
		"no use":   {nil, january, []string{"No use of this API and issuer in this period."}, []string{"<svg class=\"chart\"", "<table"}},
		"one day":  {[]use{{"app", "tile", "Map tiles", firstDay, 3}}, []string{"--from", "2026-01-01", "--to", "2026-01-01"}, []string{"1 January 2026: 3</title>", "<td class=\"n\">3</td>"}, []string{"Of which adjusted"}},
		"hostile":  {[]use{{`<script>alert(1)</script>`, `"><img src=x>`, `</title><b>`, firstDay, 3}}, january, []string{"&lt;script&gt;", "&lt;/title&gt;&lt;b&gt;"}, []string{"<script", "<img", "<b>"}},
		"rtl":      {[]use{{"عميل", "tile", "", firstDay, 3}}, january, []string{"<bdi>عميل</bdi>"}, nil},
		"huge":     {[]use{{"a", "tile", "", firstDay, 9e18}, {"b", "tile", "", firstDay, 9e18}}, january, []string{"9,223,372,036,854,775,807", ">10E<"}, nil},
		"a client": {[]use{{"app", "tile", "", firstDay, 3}, {"somebody", "tile", "", firstDay, 5}}, append([]string{"--client", "app"}, january...), []string{"by app, 1 January 2026 to 31 January 2026</title>"}, []string{"somebody", "By client"}},
	} {
		t.Run(name, func(t *testing.T) {
			db, flag := newStore(t)
			count(t, db, time.Time{}, tt.uses...)
			out, stderr, status := run(t, base(flag, "export", append([]string{"--html", "-"}, tt.args...)...)...)
			if status != 0 {
				t.Fatal(stderr)
			}
			for _, has := range tt.has {
				if !strings.Contains(out, has) {
					t.Errorf("the page lacks %q", has)
				}
			}
			for _, not := range append(tt.not, "http-equiv=\"refresh\"", "src=", "href=", "style=\"", "@import", "url(http") {
				if strings.Contains(out, not) {
					t.Errorf("the page has %q", not)
				}
			}
			if !strings.Contains(out, "default-src &#39;none&#39;; style-src &#39;sha256-") {
				t.Error("the page has no policy")
			}
		})
	}
}

// TestPageOfManyRows checks that a page does not take much for each client and product.
func TestPageOfManyRows(t *testing.T) {
	db, flag := newStore(t)
	var uses []use
	for c := range 200 {
		for p := range 12 {
			uses = append(uses, use{fmt.Sprintf("client-%03d", c), fmt.Sprintf("product-%02d", p), "", firstDay + store.Day((c+p)%31), int64(1 + c*p)})
		}
	}
	count(t, db, time.Time{}, uses...)
	out, stderr, status := run(t, base(flag, "export", append([]string{"--html", "-"}, january...)...)...)
	if status != 0 {
		t.Fatal(stderr)
	}
	if charts, groups := strings.Count(out, `<svg class="chart"`), strings.Count(out, `<tr class="group">`); charts != 12 || groups != 200 || len(out) > 1<<20 {
		t.Errorf("the page has %d charts, %d clients and %d bytes", charts, groups, len(out))
	}
}

// TestLabelsOfDays checks that there are never more labels below a chart than fit.
func TestLabelsOfDays(t *testing.T) {
	for n := 1; n <= maxDays; n++ {
		all := ticks(store.Query{From: firstDay, To: firstDay + store.Day(n-1)})
		narrow := 0
		for _, tick := range all {
			if tick.Narrow {
				narrow++
			}
		}
		if len(all) == 0 || len(all) > 13 || narrow == 0 || narrow > narrowLabels {
			t.Fatalf("%d days have %d labels, %d on narrow screens", n, len(all), narrow)
		}
	}
}

// TestChartOfAdjustments checks that the counted use and the adjustments of a day are both
// visible, even if they add up to nothing.
func TestChartOfAdjustments(t *testing.T) {
	q := store.Query{From: firstDay, To: firstDay + 1}
	p := &productUse{name: "tile", days: []dayUse{{quantity: 0, lowered: -100}, {quantity: 150, raised: 50}}, quantity: 150, adjusted: -50}
	c := newChart(1, p, q, (firstDay + 1).Midnight())
	if len(c.Days) != 2 || len(c.Days[0].Bars) != 2 || len(c.Days[1].Bars) != 2 {
		t.Fatalf("got %+v", c.Days)
	}
	zero := -1.0
	for _, l := range c.Lines {
		if l.Zero {
			zero = l.Y
		}
	}
	counted, lowered := c.Days[0].Bars[0], c.Days[0].Bars[1]
	if counted.Adjusted || counted.Y+counted.Height != zero || !lowered.Adjusted || lowered.Y != zero || lowered.Height != counted.Height {
		t.Errorf("the day that adds up to nothing: %+v, with zero at %v", c.Days[0].Bars, zero)
	}
	counted, raised := c.Days[1].Bars[0], c.Days[1].Bars[1]
	if !raised.Adjusted || raised.Y+raised.Height != counted.Y {
		t.Errorf("the day with more: %+v", c.Days[1].Bars)
	}
	if want := "2 January 2026: 150 (100 counted, +50 adjusted)"; c.Days[1].Title != want {
		t.Errorf("got %q, want %q", c.Days[1].Title, want)
	}
	if c.Open == nil {
		t.Error("the second day is not complete, and the chart does not say so")
	}
}
