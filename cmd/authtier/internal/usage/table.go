package usage

import (
	"bufio"
	"io"
	"math"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
)

// defaultWidth is the width of a terminal that is not known, in columns.
const defaultWidth = 80

// terminal returns the width of the terminal that w writes to, and false if w is no
// terminal.
func terminal(w io.Writer) (width int, ok bool) {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return defaultWidth, false
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil || width <= 0 {
		width = defaultWidth
	}
	return width, true
}

// A column is a column of a table.
type column struct {
	title  string
	number bool // it is aligned at the right, and never shortened
}

// A table is written with aligned columns. Its cells must be printable.
type table struct {
	columns []column
	rows    [][]string

	// bars holds a number from -1 to 1 for each row, which is drawn after the row. NaN
	// draws nothing.
	bars []float64
}

const (
	gap      = 2  // blanks between columns
	leastBar = 12 // columns
	mostBar  = 48
	leastTxt = 8 // columns to which a text may be shortened
)

// write writes the table. If the table has bars, it takes at most the given width, as far
// as its numbers allow that.
func (t *table) write(w io.Writer, width int) error {
	widths := make([]int, len(t.columns))
	for i, c := range t.columns {
		widths[i] = cli.Width(c.title)
		for _, row := range t.rows {
			widths[i] = max(widths[i], cli.Width(row[i]))
		}
	}

	bar := 0
	if t.bars != nil {
		bar = t.fit(widths, width)
	}

	// The writer keeps its first error, which Flush returns.
	out := bufio.NewWriter(w)
	titles := make([]string, len(t.columns))
	for i, c := range t.columns {
		titles[i] = c.title
	}
	out.WriteString(t.line(titles, widths, ""))
	for i, row := range t.rows {
		drawn := ""
		if t.bars != nil {
			drawn = drawBar(t.bars[i], bar)
		}
		out.WriteString(t.line(row, widths, drawn))
	}
	return out.Flush()
}

// fit shortens the widths of texts until there is room for bars, and returns the width of
// the bars.
func (t *table) fit(widths []int, width int) (bar int) {
	for {
		taken := 0
		widest := -1
		for i, w := range widths {
			taken += w + gap
			if !t.columns[i].number && w > leastTxt && (widest < 0 || w > widths[widest]) {
				widest = i
			}
		}
		if width-taken >= leastBar || widest < 0 {
			return min(max(width-taken, 0), mostBar)
		}
		widths[widest]--
	}
}

// line returns a line of the table, with its line end.
func (t *table) line(cells []string, widths []int, bar string) string {
	var b strings.Builder
	for i, cell := range cells {
		cell = cli.Shorten(cell, max(widths[i], 1))
		blanks := strings.Repeat(" ", max(widths[i]-cli.Width(cell), 0))
		if t.columns[i].number {
			cell = blanks + cell
		} else {
			cell += blanks
		}
		b.WriteString(cell + strings.Repeat(" ", gap))
	}
	return strings.TrimRight(b.String()+bar, " ") + "\n"
}

// drawBar draws a bar of at most the given width. Eighths of a column are drawn too. A bar
// below zero is drawn with another character.
func drawBar(part float64, width int) string {
	if math.IsNaN(part) || width <= 0 {
		return ""
	}
	eighths := int(math.Round(math.Min(math.Abs(part), 1) * float64(8*width)))
	// A small quantity is not nothing.
	if part != 0 {
		eighths = max(eighths, 1)
	}
	if part < 0 {
		return strings.Repeat("░", (eighths+7)/8)
	}

	bar := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		bar += string([]rune(" ▏▎▍▌▋▊▉")[rest])
	}
	return bar
}
