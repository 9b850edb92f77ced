package program

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// Readme runs the commands of the README's block that is marked "console name", in
// order, and compares their output with the block. Three dots in the block match any
// text. The example must be running.
func Readme(t *testing.T, name string) {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(text), "```console "+name+"\n")
	if !found {
		t.Fatalf("the README has no block for %s", name)
	}
	block, _, _ = strings.Cut(block, "```")

	for part := range strings.SplitSeq("\n"+block, "\n$ ") {
		command, want, _ := strings.Cut(strings.TrimSpace(part), "\n")
		if command == "" {
			continue
		}
		cmd := exec.Command("bash", "-c", strings.Replace(command, "curl ", "curl -sS ", 1))
		cmd.Dir = t.TempDir()
		got, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", command, err, got)
		}
		pattern := strings.ReplaceAll(regexp.QuoteMeta(want), `\.\.\.`, ".*")
		if !regexp.MustCompile("^" + pattern + "$").MatchString(strings.TrimSpace(string(got))) {
			t.Errorf("%s\nprints  %s\nREADME: %s", command, got, want)
		}
	}
}
