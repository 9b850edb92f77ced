package services

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

var pauseSignal, resumeSignal os.Signal = syscall.SIGSTOP, syscall.SIGCONT

// account is the unprivileged user that runs the servers, or nil if this process is not
// run by root.
var account = sync.OnceValue(func() *syscall.Credential {
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil
	}
	uid, _ := strconv.ParseUint(u.Uid, 10, 32)
	gid, _ := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
})

// unprivileged makes cmd run as the account, in a process group of its own. Signals that
// a terminal sends to this process group do not reach it.
func unprivileged(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: account()}
}

// makeFolder makes a folder that only the account can use.
func makeFolder(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	if a := account(); a != nil {
		return os.Chown(path, int(a.Uid), int(a.Gid))
	}
	return nil
}

// root returns the folder that holds all services. A guard process removes it, and ends
// the servers in it, when this process has ended.
var root = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "authtier-services-")
	if err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	return dir, guard(dir)
})

const guardScript = `
read -r _
for pass in 1 2 3 4 5 6 7 8 9 10; do
	found=
	for p in /proc/[0-9]*; do
		case $(readlink "$p/cwd") in
		"$1"/*) found=1; kill -KILL "${p#/proc/}" ;;
		esac
	done
	[ "$found" ] || break
	sleep 0.1
done
rm -rf "$1"`

// guard starts the guard process. It waits at a pipe, whose other end the system closes
// when this process ends, even if a signal kills it.
func guard(dir string) error {
	var ends [2]int
	if err := syscall.Pipe2(ends[:], syscall.O_CLOEXEC); err != nil {
		return err
	}
	r := os.NewFile(uintptr(ends[0]), "guard")
	defer r.Close()

	cmd := exec.Command("/bin/sh", "-c", guardScript, "guard", dir)
	cmd.Dir, cmd.Stdin = "/", r
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("the guard: %w", err)
	}
	return nil
}

// Give makes the user that runs the servers the owner of a folder.
func Give(t testing.TB, path string) {
	t.Helper()
	if a := account(); a != nil {
		if err := os.Chown(path, int(a.Uid), int(a.Gid)); err != nil {
			t.Fatalf("services: Give: %v", err)
		}
	}
}
