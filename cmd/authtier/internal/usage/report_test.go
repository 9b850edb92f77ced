package usage

import (
	"encoding/json"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/store"
)

func base(flag, command string, more ...string) []string {
	return append([]string{command, "--store", flag, "--issuer", testIssuer, "--api", testAPI}, more...)
}

func TestReport(t *testing.T) {
	db, flag := newStore(t)
	through := (firstDay + 2).Midnight().Add(90 * time.Minute)
	count(t, db, through,
		use{"app", "tile", "Map tiles", firstDay, 1_234_567}, use{"app", "tile", "Map tiles", firstDay + 1, 1000},
		use{"web", "tile", "Map tiles", firstDay, 500}, use{"web", "route", "", firstDay, 7})
	adjustUse(t, db, "web", "tile", firstDay, -600, "wrong")

	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"all": {january, `maps of https://api.example.com, 2026-01-01 to 2026-01-31 (UTC)

CLIENT  PRODUCT  LABEL       QUANTITY  ADJUSTED
app     tile     Map tiles  1,235,567
web     route                       7
web     tile     Map tiles       -100      -600
total   tile     Map tiles  1,235,467      -600

Quantities include the adjustments. See authtier usage adjustments.

complete through 2026-01-03 01:30:00 UTC
`},
		"by day, with bars": {append([]string{"--by-day", "--bars", "--client", "app"}, january...), `maps of https://api.example.com, 2026-01-01 to 2026-01-31 (UTC)

CLIENT  PRODUCT  LABEL             DAY   QUANTITY
app     tile     Map tiles  2026-01-01  1,234,567  █████████████████████████████
app     tile     Map tiles  2026-01-02      1,000  ▏
total   tile     Map tiles              1,235,567

complete through 2026-01-03 01:30:00 UTC
`},
		"nothing": {[]string{"--from", "2025-01-01", "--to", "2025-01-02"}, `maps of https://api.example.com, 2025-01-01 to 2025-01-02 (UTC)

No use of this API and issuer in this period. Usage belongs to the issuer of the server that counted it: see --issuer.

complete through 2026-01-03 01:30:00 UTC
`},
	} {
		t.Run(name, func(t *testing.T) {
			got, stderr, status := run(t, base(flag, "report", tt.args...)...)
			if got != tt.want || status != 0 {
				t.Errorf("status %d, %sgot\n%s\nwant\n%s", status, stderr, got, tt.want)
			}
		})
	}
}

func TestReportJSON(t *testing.T) {
	db, flag := newStore(t)
	count(t, db, time.Time{}, use{"a\x1b[31m", "tile", "Map <tiles>", firstDay, math.MaxInt64})
	for _, args := range [][]string{base(flag, "report", "--output", "json", "--by-day"), base(flag, "export", "--json", "-", "--by-day")} {
		out, stderr, status := run(t, append(args, january...)...)
		var got struct {
			API, Issuer, From, To string
			Complete              time.Time `json:"complete_through"`
			Rows                  []row
		}
		if err := json.Unmarshal([]byte(out), &got); err != nil || status != 0 {
			t.Fatalf("status %d, %v, %s\n%s", status, err, stderr, out)
		}
		want := row{"a\x1b[31m", "tile", "Map <tiles>", "2026-01-01", math.MaxInt64, 0}
		if len(got.Rows) != 1 || got.Rows[0] != want || got.From != "2026-01-01" || got.To != "2026-01-31" || got.API != testAPI || got.Complete.IsZero() {
			t.Errorf("got %+v, want the row %+v", got, want)
		}
		if strings.ContainsRune(out, 0x1b) {
			t.Errorf("the output has a control character: %q", out)
		}
	}

	out, _, status := run(t, base(flag, "report", "--output", "json", "--from", "2025-01-01", "--to", "2025-01-01")...)
	if status != 0 || !strings.HasSuffix(out, "\"rows\":[]}\n") {
		t.Errorf("without use: status %d, %s", status, out)
	}
}

// TestReportOfHostileNames checks that no name can move the cursor or the other columns.
func TestReportOfHostileNames(t *testing.T) {
	db, flag := newStore(t)
	count(t, db, time.Time{}, use{"evil\x1b[2J\n\u202e", "地図", "", firstDay, 5}, use{strings.Repeat("long", 50), "tile", "", firstDay, 5})
	out, _, _ := run(t, base(flag, "report", append([]string{"--bars"}, january...)...)...)
	if strings.ContainsAny(out, "\x1b\u202e") {
		t.Errorf("the output has a control character: %q", out)
	}
	ends := map[int]bool{}
	for line := range strings.Lines(out) {
		if cli.Width(strings.TrimSuffix(line, "\n")) > defaultWidth {
			t.Errorf("a line is longer than %d columns: %s", defaultWidth, line)
		}
		if before, _, ok := strings.Cut(line, "5  █"); ok {
			ends[cli.Width(before)] = true
		}
	}
	if len(ends) != 1 {
		t.Errorf("the columns are not aligned:\n%s", out)
	}
}

func TestWrongUsage(t *testing.T) {
	_, flag := newStore(t)
	adjustment := func(more ...string) []string {
		return base(flag, "adjust", append([]string{"--key", "k", "--client", "c", "--product", "p", "--day", "2026-01-01", "--quantity", "1", "--reason", "r", "--author", "a"}, more...)...)
	}
	for name, tt := range map[string]struct {
		args   []string
		want   string
		status int
	}{
		"day":                {base(flag, "report", "--from", "1.1.2026"), `--from "1.1.2026": expected a day such as 2026-01-31`, 2},
		"order":              {base(flag, "report", "--from", "2026-01-02", "--to", "2026-01-01"), "before --from", 2},
		"far future":         {base(flag, "report", "--from", "2026-01-02", "--to", "9999-01-01"), "To is", 2},
		"no API":             {base(flag, "report", "--api", ""), "--api is empty", 2},
		"output":             {base(flag, "report", "--output", "xml"), "expected text or json", 2},
		"argument":           {base(flag, "report", "maps"), "expected no argument", 2},
		"no store":           {base("sqlite:"+filepath.Join(t.TempDir(), "none"), "report"), "run authtier init", 1},
		"no file":            {base(flag, "export"), "expected --csv FILE, --json FILE or --html FILE", 2},
		"two files":          {base(flag, "export", "--csv", "-", "--html", "-"), "--csv and --html are set", 2},
		"too many days":      {base(flag, "export", "--html", "-", "--from", "2020-01-01", "--to", "2026-01-01"), "expected at most 1098", 2},
		"nothing to adjust":  {base(flag, "adjust"), "--key, --client, --product, --day, --reason, --author are missing", 2},
		"no quantity":        {adjustment("--quantity", "0"), "--quantity is missing or 0", 2},
		"not a quantity":     {adjustment("--quantity", "1.5"), "--quantity: expected a number", 2},
		"one flag missing":   {adjustment("--key", ""), "--key is missing", 2},
		"the day is too old": {adjustment("--day", "1999-01-01"), "Day is", 2},
	} {
		t.Run(name, func(t *testing.T) {
			_, stderr, status := run(t, tt.args...)
			if status != tt.status || !strings.Contains(stderr, tt.want) {
				t.Errorf("got status %d and %q, want %d and %q", status, stderr, tt.status, tt.want)
			}
		})
	}
}

// TestDefaultDays checks that a report is about the last 30 days.
func TestDefaultDays(t *testing.T) {
	now := time.Date(2026, 3, 1, 23, 59, 0, 0, time.FixedZone("", -3600)) // 2 March in UTC
	for _, tt := range []struct{ from, to, wantFrom, wantTo string }{
		{"", "", "2026-02-01", "2026-03-02"},
		{"", "2026-01-31", "2026-01-02", "2026-01-31"},
		{"2026-03-01", "", "2026-03-01", "2026-03-02"},
	} {
		s := selection{api: "maps", from: tt.from, to: tt.to}
		q, err := s.query(testIssuer, now)
		if err != nil || q.From.String() != tt.wantFrom || q.To.String() != tt.wantTo {
			t.Errorf("from %q to %q: got %v to %v, %v", tt.from, tt.to, q.From, q.To, err)
		}
	}
	if firstDay != store.DayOf(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Error("the tests have a wrong first day")
	}
}
