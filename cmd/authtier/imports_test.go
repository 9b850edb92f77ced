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

// TestLayers fixes which packages may import which, directly or through others. A
// package may also import the internal packages of its own tree.
func TestLayers(t *testing.T) {
	for pkg, allowed := range map[string][]string{
		"errorsx":                   {},
		"middleware":                {"errorsx"},
		"middleware/idp":            {"errorsx", "middleware"},
		"middleware/idp/idptest":    {"errorsx", "middleware", "middleware/idp"},
		"middleware/middlewaretest": {},
		"middleware/throttle":       {"errorsx", "middleware"},
		"store":                     {},
		"store/memory":              {"store"},
		"store/meter":               {"store"},
		"store/storetest":           {"store"},
		"store/sqlite":              {"store"},
		"store/postgres":            {"store"},
		"store/redis":               {"store"},
		"issuer":                    {"errorsx", "middleware", "middleware/idp", "middleware/throttle", "store"},
		"issuer/session":            {"errorsx", "middleware", "middleware/idp", "middleware/throttle", "store", "issuer"},
		"issuer/partner":            {"errorsx", "middleware", "middleware/idp", "middleware/throttle", "store", "issuer"},
	} {
		for _, dep := range deps(t, pkg) {
			ours, ok := strings.CutPrefix(dep, module+"/")
			if !ok || ours == pkg || slices.Contains(allowed, ours) {
				continue
			}
			// An internal package belongs to the tree above it.
			tree, _, internal := strings.Cut(ours, "/internal/")
			if !internal || !strings.HasPrefix(pkg+"/", tree+"/") && !slices.Contains(allowed, tree) {
				t.Errorf("%s imports %s", pkg, ours)
			}
		}
	}
}

// TestLibraryDependencies fixes the modules that users of the library get. Tests count
// too, because the imports of a test end up in the users' go.sum.
func TestLibraryDependencies(t *testing.T) {
	keys := []string{module, "github.com/go-json-experiment/json"}
	throttle := append(slices.Clone(keys), "github.com/hashicorp/golang-lru/v2")
	tokens := append(slices.Clone(keys), "github.com/MicahParks/jwkset", "github.com/MicahParks/keyfunc/v3", "github.com/golang-jwt/jwt/v5", "golang.org/x/time")
	all := append(slices.Concat(tokens, throttle), "golang.org/x/crypto", "golang.org/x/sys")
	for pkg, allowed := range map[string][]string{
		"errorsx": keys, "middleware": throttle, "middleware/middlewaretest": throttle, "middleware/throttle": throttle,
		"middleware/idp": tokens, "middleware/idp/idptest": tokens,
		"store": all, "store/memory": all, "store/meter": all, "store/storetest": all,
		"issuer": all, "issuer/session": all, "issuer/partner": all,
	} {
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
