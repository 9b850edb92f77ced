package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"
)

// TestVariants drives every variant for a moment, and prints the table.
func TestVariants(t *testing.T) {
	in, stop := io.Pipe()
	out, tell := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- serve(t.Context(), in, tell) }()
	s := &site{}
	if err := json.NewDecoder(out).Decode(s); err != nil {
		t.Fatal(err)
	}
	if n := len(s.Large[0]); n < 2900 || n > 3200 {
		t.Errorf("the large token has %d bytes, want 3 KB", n)
	}
	variants := s.variants()
	if err := run(t.Context(), variants, 50*time.Millisecond, 1); err != nil {
		t.Fatal(err)
	}
	var table bytes.Buffer
	writeTable(&table, variants)
	for _, v := range variants {
		if !strings.Contains(table.String(), "| "+v.name+" | ") {
			t.Errorf("no line for %s in %s", v.name, table.String())
		}
	}
	stop.Close()
	if err := <-ended; err != nil {
		t.Errorf("the server ended with %v", err)
	}
}
