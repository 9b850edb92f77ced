package usage

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
)

// openTerminal returns a terminal of that width, and its other end.
func openTerminal(t *testing.T, columns int) (tty, screen *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals: %v", err)
	}
	t.Cleanup(func() { screen.Close() })
	if err := unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals: %v", err)
	}
	t.Cleanup(func() { tty.Close() })
	if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: uint16(columns)}); err != nil {
		t.Fatal(err)
	}
	return tty, screen
}

// TestTerminal checks that a report on a terminal has bars and fits its width.
func TestTerminal(t *testing.T) {
	db, flag := newStore(t)
	month(t, db)
	for _, columns := range []int{60, 72, 140} {
		tty, screen := openTerminal(t, columns)
		root := &cobra.Command{Use: "authtier"}
		root.AddCommand(Command())
		root.SetOut(tty)
		root.SetArgs(append([]string{"usage"}, base(flag, "report", january...)...))
		if err := root.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}

		// The output fits into the buffer of the terminal.
		text := make([]byte, 1<<16)
		n, err := screen.Read(text)
		for !strings.Contains(string(text[:n]), "complete through") && err == nil {
			var more int
			more, err = screen.Read(text[n:])
			n += more
		}
		longest := 0
		for line := range strings.Lines(string(text[:n])) {
			if strings.Contains(line, "█") {
				longest = max(longest, cli.Width(strings.TrimRight(line, "\r\n")))
			}
		}
		if longest > columns || longest < min(columns, 100) {
			t.Errorf("%d columns: the longest line has %d:\n%s", columns, longest, text[:n])
		}
	}
}
