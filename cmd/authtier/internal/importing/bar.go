package importing

import (
	"io"
	"os"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// A bar shows the progress. A nil bar shows nothing.
type bar struct{ *progressbar.ProgressBar }

// newBar returns a bar if w is a terminal.
func newBar(w io.Writer, size int64) *bar {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return drawBar(w, size)
}

func drawBar(w io.Writer, size int64) *bar {
	return &bar{progressbar.NewOptions64(size,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription("importing"),
		progressbar.OptionShowBytes(true),
		progressbar.OptionClearOnFinish(),
	)}
}

// set shows how much of the file was read, and how many records that were.
func (b *bar) set(read int64, records int) {
	if b == nil {
		return
	}
	b.Describe(humanize.Comma(int64(records)) + " records")
	b.Set64(read)
}

// clear removes the bar, so that other lines can be printed.
func (b *bar) clear() {
	if b != nil {
		b.Clear()
	}
}
