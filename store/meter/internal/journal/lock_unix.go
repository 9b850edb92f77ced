//go:build unix && !aix && !solaris

package journal

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// openFlags make sure that opening neither follows a link nor waits for a pipe.
const openFlags = unix.O_NOFOLLOW | unix.O_NONBLOCK

// lock takes f's lock, which ends with its descriptor. It returns ErrBusy if another
// process has the lock.
func lock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			return ErrBusy
		default:
			return os.NewSyscallError("flock", err)
		}
	}
}

// unlock gives up f's lock. Closing f is not enough, because a mapping of the file keeps
// the lock.
func unlock(f *os.File) error {
	return os.NewSyscallError("flock", unix.Flock(int(f.Fd()), unix.LOCK_UN))
}

// checkFolder returns an error if other users can write to the folder.
func checkFolder(dir string, fi os.FileInfo) error {
	if mode := fi.Mode().Perm(); mode&0o022 != 0 {
		return fmt.Errorf("others can write to %s (mode %#o); expected 0700", dir, mode)
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok && st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d, and this is user %d", dir, st.Uid, os.Geteuid())
	}
	return nil
}

// rename gives the open and locked file its final name, or closes it.
func rename(root *os.Root, f *os.File, from, to string) (*os.File, error) {
	if err := root.Rename(from, to); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func syncFolder(root *os.Root) error {
	d, err := root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
