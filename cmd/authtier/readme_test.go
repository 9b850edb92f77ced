package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
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

// TestReadmeProgram holds that the README's Go is part of a tested program.
func TestReadmeProgram(t *testing.T) {
	program := readFile(t, "../../examples/wrap/main.go")
	_, rest, _ := strings.Cut(readFile(t, "../../README.md"), "```go\n")
	snippet, _, ok := strings.Cut(rest, "```")
	if !ok || !strings.Contains(program, snippet) {
		t.Errorf("examples/wrap does not hold the README's\n%s", snippet)
	}
}

// TestReadmeCommands runs every command of the README's console blocks with the
// real curl, in order, and compares what they print; ... stands for anything.
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
