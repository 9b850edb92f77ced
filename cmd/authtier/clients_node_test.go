package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestSimpleOAuth2 runs simple-oauth2, a client for Node.js that reads every
// response as JSON.
func TestSimpleOAuth2(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	folder := t.TempDir() // nothing is installed into the checkout
	if err := os.CopyFS(folder, os.DirFS("testdata/clients")); err != nil {
		t.Fatal(err)
	}

	install := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = folder
	if out, err := install.CombinedOutput(); err != nil {
		unavailable(t, "npm ci: %v\n%s", err, out)
	}

	script := exec.CommandContext(ctx, "node", filepath.Join(folder, "revoke.js"), sharedDemo(t).url)
	out, err := script.CombinedOutput()
	if err != nil || string(out) != "revoked\n" {
		t.Errorf("revoke.js: %v\n%s", err, out)
	}
}

// unavailable skips a test that needs something that is not installed. With
// AUTHTIER_REQUIRE_SERVICES=1, it fails the test instead.
func unavailable(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("AUTHTIER_REQUIRE_SERVICES") == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}
