package main

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// fence is a code block of a Markdown file, with the language that it names.
var fence = regexp.MustCompile("(?ms)^```([^\\n]*)\\n(.*?)^```$")

// TestReadmeCode compares each Go block of the README with the programs in examples
// and with the Example tests of all packages. A block must be in one of them line by
// line; it may have less indentation. A block with a package clause must be the whole
// file. Every other block names its language too, so that no Go hides in it.
func TestReadmeCode(t *testing.T) {
	t.Parallel()
	programs := programsBelow(t, "../..")
	blocks := 0
	for _, block := range fence.FindAllStringSubmatch(readFile(t, "../../README.md"), -1) {
		switch language, _, _ := strings.Cut(block[1], " "); language {
		case "go":
			blocks++
			if !slices.ContainsFunc(programs, func(program string) bool { return holds(program, block[2]) }) {
				t.Errorf("no program in examples and no Example test has the README's\n%s", block[2])
			}
		case "console", "sh", "toml", "text":
		default:
			t.Errorf("a block of the README is in the language %q:\n%s", block[1], block[2])
		}
	}
	if blocks < 8 {
		t.Errorf("found %d blocks of Go in the README, want at least 8", blocks)
	}
}

// programsBelow returns the text of every program in examples, and of every file of
// Example tests below dir.
func programsBelow(t *testing.T, dir string) []string {
	t.Helper()
	var programs []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		isProgram, _ := filepath.Match(filepath.Join(dir, "examples", "*", "*.go"), path)
		isExample, _ := filepath.Match("example*_test.go", filepath.Base(path))
		if isExample || isProgram && !strings.HasSuffix(path, "_test.go") {
			programs = append(programs, readFile(t, path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return programs
}

// holds reports whether a program has the lines of a block, in their order and
// without a gap. A block with a package clause must be the whole program.
func holds(program, block string) bool {
	if strings.HasPrefix(block, "package ") || strings.Contains(block, "\npackage ") {
		return program == block
	}
	if strings.TrimSpace(block) == "" {
		return false
	}

	program = "\n" + program
	for range 4 {
		if strings.Contains(program, "\n"+block) {
			return true
		}
		block = indented(block)
	}
	return false
}

// indented returns the block with a tab in front of each line that is not empty.
func indented(block string) string {
	var b strings.Builder
	for line := range strings.Lines(block) {
		if line != "\n" {
			b.WriteByte('\t')
		}
		b.WriteString(line)
	}
	return b.String()
}

// TestReadmeCodeFinds passes holds blocks that are in a program and blocks that are
// not.
func TestReadmeCodeFinds(t *testing.T) {
	t.Parallel()
	const program = "// Command x does nothing.\npackage main\n\nfunc main() {\n\ta()\n\n\tb()\n}\n"
	for block, want := range map[string]bool{
		program:                       true,
		"a()\n\nb()\n":                true,
		"\ta()\n\n\tb()\n":            true,
		"func main() {\n\ta()\n":      true,
		"":                            false,
		"\n":                          false,
		"a()\nb()\n":                  false,
		"a()\n\nb() // and no more\n": false,
		"main() {\n":                  false,
		"c()\n":                       false,
		"package main\n":              false,
		"package main\n\nfunc main() {\n\ta()\n\n\tb()\n}\n": false,
	} {
		if got := holds(program, block); got != want {
			t.Errorf("%q: got %t, want %t", block, got, want)
		}
	}
}

// TestReadmeCommands runs every command of the README's console blocks with the
// real curl, in order, and compares what they print; ... stands for anything. Blocks
// for another program than the demo name it, as in "console keys".
func TestReadmeCommands(t *testing.T) {
	w := startDemo(t)
	dir := t.TempDir()
	now := time.Now().UTC() // midnight may come between
	env := append(os.Environ(), "FROM="+now.AddDate(0, 0, -1).Format(time.DateOnly), "TO="+now.AddDate(0, 0, 1).Format(time.DateOnly))
	commands := 0
	for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(readFile(t, "../../README.md"), -1) {
		for part := range strings.SplitSeq("\n"+block[1], "\n$ ") {
			command, want, _ := strings.Cut(strings.TrimSpace(part), "\n")
			if command == "" {
				continue
			}
			commands++
			command = strings.ReplaceAll(command, "http://127.0.0.1:8080", w.url)
			cmd := exec.Command("bash", "-c", strings.Replace(command, "curl ", "curl -sS ", 1))
			cmd.Dir, cmd.Env = dir, env
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%s: %v", command, err)
			}
			pattern := strings.ReplaceAll(regexp.QuoteMeta(want), `\.\.\.`, ".*")
			if !regexp.MustCompile("^" + pattern + "$").MatchString(strings.TrimSpace(string(out))) {
				t.Errorf("%s\nprints  %s\nREADME: %s", command, out, want)
			}
			env = remember(env, out)
		}
	}
	if commands < 20 {
		t.Errorf("found %d commands in the README, want at least 20", commands)
	}
}

// remember adds the tokens of an answer to the environment.
func remember(env []string, out []byte) []string {
	var answer map[string]any
	json.Unmarshal(out, &answer)
	for member, name := range map[string]string{
		"access_token": "ACCESS_TOKEN", "authtoken": "ACCESS_TOKEN", "refresh_token": "REFRESH_TOKEN",
	} {
		if token, ok := answer[member].(string); ok {
			env = append(env, name+"="+token)
		}
	}
	return env
}
