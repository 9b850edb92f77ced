//go:build !unix

package issuer_test

import (
	"os"
	"testing"
)

// makePipe makes a folder, because the system has no named pipes.
func makePipe(t *testing.T, name string) {
	t.Helper()
	must(t, os.Mkdir(name, 0o700))
}
