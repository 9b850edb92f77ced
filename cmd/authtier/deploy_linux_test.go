package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// TestUnit lets systemd check the unit, with the binary where the unit expects it. Its
// exposure must stay low: 0 is none, and 100 is everything.
func TestUnit(t *testing.T) {
	need(t, "systemd-analyze")
	const place = "/usr/local/bin/authtier"
	text := readFile(t, "../../deploy/authtier.service")
	if !strings.Contains(text, "ExecStart="+place+" serve\n") {
		t.Fatalf("the unit does not start %s serve", place)
	}
	unit := filepath.Join(t.TempDir(), "authtier.service")
	write(t, unit, strings.ReplaceAll(text, place, build(t)))

	for _, args := range [][]string{{"verify", unit}, {"security", "--offline=true", "--threshold=15", unit}} {
		out, err := exec.Command("systemd-analyze", args...).CombinedOutput()
		if err != nil || args[0] == "verify" && len(out) > 0 {
			t.Errorf("systemd-analyze %s: %v\n%s", args[0], err, out)
		}
	}
}

// TestImage builds the binary with the command of the Dockerfile, and runs it as the
// Dockerfile's user in a root folder that holds only what the image holds. With a Docker
// engine it also builds the image.
func TestImage(t *testing.T) {
	text := readFile(t, "../../deploy/Dockerfile")
	command := regexp.MustCompile(`RUN (CGO_ENABLED=0 go build .*) -o /out/authtier (\S+)`).FindStringSubmatch(text)
	if command == nil || !strings.Contains(text, "FROM scratch\n") || !strings.Contains(text, "\nUSER 65532:65532\nWORKDIR /data\n") {
		t.Fatalf("the Dockerfile does not build a static binary for its user:\n%s", text)
	}

	root := t.TempDir()
	build := exec.Command("bash", "-c", command[1]+" -o "+filepath.Join(root, "authtier")+" "+command[2])
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	inRoot(t, root)

	if exec.Command("docker", "info").Run() != nil {
		t.Log("no Docker engine answers, so the image itself was not built")
		return
	}
	if out, err := exec.Command("docker", "build", "-q", "-f", "../../deploy/Dockerfile", "../..").CombinedOutput(); err != nil {
		t.Errorf("docker build: %v\n%s", err, out)
	}
}

// inRoot runs init and serve in a root folder with the binary and an empty folder.
func inRoot(t *testing.T, root string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can change the root folder")
	}
	const user = 65532
	data := filepath.Join(root, "data")
	for _, err := range []error{os.Mkdir(data, 0o700), os.Chown(data, user, user), os.Chmod(root, 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	attributes := &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: user, Gid: user}}

	cmd := exec.Command("/authtier", "init")
	cmd.Dir, cmd.SysProcAttr, cmd.Env = "/data", attributes, []string{}
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("authtier_key_")) {
		t.Fatalf("init: %v\n%s", err, out)
	}

	s := serveWith(t, func(cmd *exec.Cmd) { cmd.Dir, cmd.SysProcAttr = "/data", attributes }, "/authtier")
	if a := s.do("GET", "/readyz"); a.status != 200 {
		t.Errorf("readyz: got %d %s", a.status, a.body)
	}
	s.stop(t)
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
