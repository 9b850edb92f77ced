package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/authtier/authtier"

// deps returns the packages that a package needs, and itself.
func deps(t *testing.T, pkg string, flags ...string) []string {
	t.Helper()
	args := append(append([]string{"list", "-deps"}, flags...), module+"/"+pkg)
	out, err := exec.Command("go", args...).Output()
	if err != nil {
		t.Fatalf("go %v: %v", args, err)
	}
	return strings.Fields(string(out))
}

// TestLayers fixes which packages may import which.
func TestLayers(t *testing.T) {
	for pkg, allowed := range map[string][]string{
		"errorsx":         {},
		"middleware":      {"errorsx"},
		"store":           {},
		"store/memory":    {"store", "store/internal/record"},
		"store/meter":     {"store"},
		"store/storetest": {"store"},
		"store/sqlite":    {"store", "store/internal/record", "store/internal/sqlstore"},
		"store/postgres":  {"store", "store/internal/record", "store/internal/sqlstore", "store/internal/transport"},
		"store/redis":     {"store", "store/internal/record", "store/internal/transport"},
		"issuer":          {"errorsx", "middleware", "store", "issuer/internal/form", "issuer/internal/hook", "issuer/internal/secret"},
		"issuer/session":  {"errorsx", "middleware", "store", "issuer", "issuer/internal/form", "issuer/internal/hook", "issuer/internal/secret"},
		"issuer/partner":  {"errorsx", "middleware", "store", "issuer", "issuer/internal/form", "issuer/internal/hook", "issuer/internal/secret"}, // by way of issuer
	} {
		for _, dep := range deps(t, pkg) {
			if ours, ok := strings.CutPrefix(dep, module+"/"); ok && ours != pkg && !slices.Contains(allowed, ours) {
				t.Errorf("%s imports %s", pkg, ours)
			}
		}
	}
}

// TestLibraryDependencies fixes the modules that users of the library get. Tests count
// too, because the imports of a test end up in the users' go.sum.
func TestLibraryDependencies(t *testing.T) {
	allowed := []string{
		module,
		"github.com/MicahParks/jwkset",
		"github.com/golang-jwt/jwt/v5",
		"github.com/go-json-experiment/json",
		"github.com/hashicorp/golang-lru/v2",
		"golang.org/x/crypto",
		"golang.org/x/sys",
		"golang.org/x/time",
	}
	for _, pkg := range []string{"errorsx", "middleware", "store", "store/memory", "store/meter", "store/storetest", "issuer", "issuer/session", "issuer/partner"} {
		for _, dep := range deps(t, pkg, "-test") {
			std := !strings.Contains(strings.SplitN(dep, "/", 2)[0], ".")
			vendored := strings.HasPrefix(dep, "vendor/")
			if strings.HasPrefix(dep, "[") { // a variant built for a test
				continue
			}
			ok := slices.ContainsFunc(allowed, func(a string) bool { return dep == a || strings.HasPrefix(dep, a+"/") })
			if !std && !vendored && !ok {
				t.Errorf("%s needs %s", pkg, dep)
			}
		}
	}
}
