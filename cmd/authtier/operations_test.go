package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// rows names the tests that prove each row of the table "When something is down" in OPERATIONS.md.
var rows = map[string][]string{
	"the store, for a credential that was used shortly before": {"cmd/authtier/down_linux_test.go TestStoreDown", "issuer/stale_test.go TestStale"},
	"the store, for any other credential":                      {"cmd/authtier/down_linux_test.go TestStoreDown"},
	"the store, for grants, logins and revocations":            {"cmd/authtier/down_linux_test.go TestStoreDown", "issuer/stale_test.go TestRevocationThatFails"},
	"the store, for usage counts":                              {"cmd/authtier/down_linux_test.go TestStoreDown", "store/meter/time_test.go TestU07StoreDown"},

	"a trusted provider, for tokens signed with a key that the server has fetched": {"middleware/idp/remotekeys_test.go TestRemoteKeysDown"},
	"a trusted provider, for tokens signed with another key":                       {"middleware/idp/remotekeys_test.go TestRemoteKeysDown"},
	"a trusted provider, when `serve` starts":                                      {"cmd/authtier/down_linux_test.go TestProviderDownAtTheStart"},

	"the disk is full, for credentials and signed tokens":               {"cmd/authtier/down_linux_test.go TestDiskFull"},
	"the disk is full, for logins and changes of the store":             {"cmd/authtier/down_linux_test.go TestDiskFull"},
	"the disk is full, for the usage of a client already counted today": {"cmd/authtier/down_linux_test.go TestDiskFull", "store/meter/disk_linux_test.go TestFullDisk"},
	"the clock is wrong":    {"cmd/authtier/clock_wire_test.go TestAccessTokensExpire", "issuer/skew_test.go TestS04SkewedNodes", "store/meter/time_test.go TestClockStepsBack"},
	"the process is killed": {"cmd/authtier/down_linux_test.go TestKilled", "store/meter/crash_test.go TestKilled"},
}

// TestOperationsRows tests that each row of the table has its tests, and that they exist.
func TestOperationsRows(t *testing.T) {
	t.Parallel()
	_, table, _ := strings.Cut(readFile(t, "../../OPERATIONS.md"), "## When something is down")
	found := map[string]bool{}
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || strings.HasPrefix(cells[1], "--") || cells[1] == " what is down " {
			continue
		}
		row := strings.TrimSpace(cells[1])
		found[row] = true
		if len(rows[row]) == 0 {
			t.Errorf("no test for the row %q", row)
		}
		for _, name := range rows[row] {
			file, test, _ := strings.Cut(name, " ")
			if !strings.Contains(readFile(t, "../../"+file), "\nfunc "+test+"(t *testing.T)") {
				t.Errorf("row %q: there is no %s in %s", row, test, file)
			}
		}
	}
	for row := range rows {
		if !found[row] {
			t.Errorf("the page has no row %q", row)
		}
	}
}

// TestOperationsCommands runs every command of the page, in order, in one folder. A server
// runs from the command that starts it to the end.
func TestOperationsCommands(t *testing.T) {
	for _, program := range []string{"curl", "sqlite3"} {
		need(t, program)
	}
	binary := build(t)
	dir := t.TempDir()
	env := append(os.Environ(), "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"),
		"AUTHTIER_ADDR=127.0.0.1:0", "AUTHTIER_ISSUER=http://127.0.0.1:8080")
	var server *served
	commands := 0
	for command := range commandsOf(t, "../../OPERATIONS.md") {
		commands++
		switch {
		case strings.Contains(command, "go install"):
			continue // it is how the binary was made
		case command == "authtier serve":
			server = serveWith(t, func(cmd *exec.Cmd) { cmd.Dir, cmd.Env = dir, env }, binary)
			continue
		}
		if server != nil {
			command = strings.ReplaceAll(command, "http://127.0.0.1:8080", server.url)
		}
		cmd := exec.Command("bash", "-c", strings.Replace(command, "curl ", "curl -fsS ", 1))
		cmd.Dir, cmd.Env = dir, env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		env = rememberSecrets(env, string(out))
	}
	if commands < 20 || server == nil {
		t.Fatalf("found %d commands, want at least 20, and one that serves", commands)
	}
	server.stop(t)
	if page, err := os.ReadFile(filepath.Join(dir, "usage.html")); err != nil || !strings.Contains(string(page), "<svg") {
		t.Errorf("the picture of the usage: %v", err)
	}
}

// commandsOf returns the lines of the sh blocks of a page.
func commandsOf(t *testing.T, page string) func(func(string) bool) {
	t.Helper()
	text := readFile(t, page)
	return func(yield func(string) bool) {
		for _, block := range fence.FindAllStringSubmatch(text, -1) {
			if block[1] != "sh" {
				continue
			}
			for line := range strings.Lines(block[2]) {
				if line = strings.TrimSpace(line); line != "" && !yield(line) {
					return
				}
			}
		}
	}
}

// rememberSecrets adds the secrets that init has printed to the environment.
func rememberSecrets(env []string, out string) []string {
	for name, pattern := range map[string]string{
		"KEY": `X-API-KEY: (authtier_key_\w+)`, "SECRET": `secret +(authtier_cs_\w+)`, "PASSWORD": `password +(\S+)`,
	} {
		if m := regexp.MustCompile(pattern).FindStringSubmatch(out); m != nil && m[1] != "" && strings.HasPrefix(out, "Made ") {
			env = append(env, name+"="+m[1])
		}
	}
	return env
}
