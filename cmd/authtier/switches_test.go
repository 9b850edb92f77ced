package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var (
	switchName  = regexp.MustCompile(`^(?:Allow|Insecure)[A-Z]`)
	switchInDoc = regexp.MustCompile("`(\\w+\\.\\w+\\.(?:Allow|Insecure)[A-Z]\\w*)`")
)

// TestSwitches compares the table of switches in SECURITY.md with the exported structs
// of the library. Every field that is named Allow... or Insecure... must be in the
// table, and every switch in the table must be such a field.
func TestSwitches(t *testing.T) {
	t.Parallel()
	fields := map[string]bool{}
	for _, dir := range []string{"errorsx", "middleware", "store", "issuer"} {
		switchesBelow(t, "../../"+dir, fields)
	}
	if len(fields) < 20 {
		t.Fatalf("found %d switches in the code, want at least 20", len(fields))
	}

	documented := map[string]bool{}
	for line := range strings.Lines(readFile(t, "../../SECURITY.md")) {
		cell, _, _ := strings.Cut(strings.TrimPrefix(line, "|"), "|")
		for _, name := range switchInDoc.FindAllStringSubmatch(cell, -1) {
			documented[name[1]] = true
		}
	}
	for name := range fields {
		if !documented[name] {
			t.Errorf("SECURITY.md lacks the switch %s", name)
		}
	}
	for name := range documented {
		if !fields[name] {
			t.Errorf("SECURITY.md names the switch %s, which does not exist", name)
		}
	}
}

// switchesBelow adds the switches of the public packages below dir to fields, each as
// package.Type.Field.
func switchesBelow(t *testing.T, dir string, fields map[string]bool) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "internal" || entry.Name() == "testdata"):
			return fs.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok && spec.Name.IsExported() {
				addSwitches(file.Name.Name+"."+spec.Name.Name, spec.Type, fields)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func addSwitches(prefix string, typ ast.Expr, fields map[string]bool) {
	st, ok := typ.(*ast.StructType)
	if !ok {
		return
	}
	for _, field := range st.Fields.List {
		for _, name := range field.Names {
			if switchName.MatchString(name.Name) {
				fields[prefix+"."+name.Name] = true
			}
		}
	}
}

// TestSwitchesOfCommands compares the flags whose names begin with allow or insecure with
// those that SECURITY.md names.
func TestSwitchesOfCommands(t *testing.T) {
	t.Parallel()
	flags := map[string]bool{}
	var visit func(*cobra.Command)
	visit = func(cmd *cobra.Command) {
		for _, set := range []*pflag.FlagSet{cmd.Flags(), cmd.PersistentFlags()} {
			set.VisitAll(func(f *pflag.Flag) {
				if strings.HasPrefix(f.Name, "allow-") || strings.HasPrefix(f.Name, "insecure-") {
					flags["--"+f.Name] = true
				}
			})
		}
		for _, child := range cmd.Commands() {
			visit(child)
		}
	}
	visit(newRoot())

	documented := map[string]bool{}
	for _, name := range regexp.MustCompile(`--(?:allow|insecure)-[a-z-]+`).FindAllString(readFile(t, "../../SECURITY.md"), -1) {
		documented[name] = true
	}
	if !maps.Equal(flags, documented) || len(flags) < 4 {
		t.Errorf("the flags are %v, and SECURITY.md names %v", flags, documented)
	}
}
