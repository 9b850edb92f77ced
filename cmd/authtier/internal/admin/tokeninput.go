package admin

import (
	"os"

	"golang.org/x/term"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
)

// readToken reads a token from the file. Without a file it reads standard input, or asks at
// the terminal.
func readToken(c *call, file string) (string, error) {
	in, ok := c.InOrStdin().(*os.File)
	atTerminal := ok && term.IsTerminal(int(in.Fd()))
	if file == "" && !atTerminal {
		file = "-"
	}
	return cli.ReadSecret(c.Command, file, "token-file", "the token")
}
