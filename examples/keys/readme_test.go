package main

import (
	"testing"

	"github.com/authtier/authtier/examples/internal/program"
)

func TestReadme(t *testing.T) {
	program.Turn(t)
	program.Start(t, t.TempDir())
	program.Readme(t, "keys")
}
