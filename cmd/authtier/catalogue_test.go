package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// catalogue is the number of attacks of each kind.
var catalogue = map[string]int{
	"J": 32, "H": 20, "P": 18, "T": 11, "C": 20, "B": 7, "R": 9, "O": 17, "D": 10, "U": 7, "S": 10,
}

var (
	testName  = regexp.MustCompile("`((?:Test|Fuzz)[A-Z0-9]\\w*)(?:/[^`]*)?`")
	attackRow = regexp.MustCompile(`^\| ([A-Z]\d\d) \| (.*\S) \| (.*\S) \|$`)
	attackID  = regexp.MustCompile(`[A-Z]\d\d`)
)

// TestCatalogue compares ATTACKS.md with the tests. Each attack of the catalogue must
// have one row. A row names a test that has the attack's number in its name or in a
// case, or the reason why the attack cannot apply. Each test that ATTACKS.md or
// SECURITY.md names must exist.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	tests := testsOf(t, "../..")
	text := readFile(t, "../../ATTACKS.md")
	for file, text := range map[string]string{"ATTACKS.md": text, "SECURITY.md": readFile(t, "../../SECURITY.md")} {
		names := testName.FindAllStringSubmatch(text, -1)
		if len(names) < 50 {
			t.Errorf("%s names %d tests, want at least 50", file, len(names))
		}
		for _, name := range names {
			if tests[name[1]] == nil {
				t.Errorf("%s names %s, which does not exist", file, name[1])
			}
		}
	}

	rows := map[string]bool{}
	for line := range strings.Lines(text) {
		row := attackRow.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if row == nil {
			continue
		}
		if rows[row[1]] {
			t.Errorf("%s has two rows", row[1])
		}
		rows[row[1]] = true
		for _, fault := range faultsOfRow(row[1], row[3], tests) {
			t.Error(fault)
		}
	}
	for kind, count := range catalogue {
		for n := range count {
			id := fmt.Sprintf("%s%02d", kind, n+1)
			if !rows[id] {
				t.Errorf("%s has no row in ATTACKS.md", id)
			}
			delete(rows, id)
		}
	}
	for id := range rows {
		t.Errorf("%s has a row and is in no catalogue", id)
	}
}

// faultsOfRow returns the faults of the last column of a row.
func faultsOfRow(id, cell string, tests map[string]map[string]bool) (faults []string) {
	if reason, ok := strings.CutPrefix(cell, "cannot apply: "); ok {
		if len(strings.Fields(reason)) < 3 {
			faults = append(faults, id+" cannot apply, and the row gives no reason")
		}
		return faults
	}
	names := testName.FindAllStringSubmatch(cell, -1)
	if len(names) == 0 {
		faults = append(faults, id+" has neither a test nor a reason why it cannot apply")
	}
	for _, name := range names {
		if ids := tests[name[1]]; ids != nil && !ids[id] {
			faults = append(faults, fmt.Sprintf("%s does not occur in the names of %s, or of its cases", id, name[1]))
		}
	}
	return faults
}

// TestCatalogueFinds passes faulty rows to faultsOfRow.
func TestCatalogueFinds(t *testing.T) {
	tests := map[string]map[string]bool{"TestJ01": {"J01": true}}
	for cell, want := range map[string]int{
		"`TestJ01`": 0, "`TestJ01/none`": 0, "cannot apply: there are no such things": 0,
		"": 1, "later": 1, "cannot apply: ": 1, "cannot apply: no": 1, "`TestJ02`, `TestJ01`": 0,
	} {
		if got := faultsOfRow("J01", cell, tests); len(got) != want {
			t.Errorf("%q: got %q, want %d faults", cell, got, want)
		}
	}
	if got := faultsOfRow("J02", "`TestJ01`", tests); len(got) != 1 {
		t.Errorf("another attack's test: got %q", got)
	}
}

// testsOf returns the tests and fuzz targets below a directory, each with the attacks
// whose numbers are in its name or in a string in it.
func testsOf(t *testing.T, dir string) map[string]map[string]bool {
	t.Helper()
	tests := map[string]map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Test") && !strings.HasPrefix(f.Name.Name, "Fuzz") {
				continue
			}
			if tests[f.Name.Name] == nil {
				tests[f.Name.Name] = map[string]bool{}
			}
			maps.Copy(tests[f.Name.Name], attacksOf(f))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(slices.Collect(maps.Keys(tests))) < 100 {
		t.Fatalf("%d tests below %s", len(tests), dir)
	}
	return tests
}

func attacksOf(f *ast.FuncDecl) map[string]bool {
	ids := map[string]bool{}
	add := func(text string) {
		for _, id := range attackID.FindAllString(text, -1) {
			ids[id] = true
		}
	}
	add(f.Name.Name)
	ast.Inspect(f, func(n ast.Node) bool {
		if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING {
			add(text.Value)
		}
		return true
	})
	return ids
}
