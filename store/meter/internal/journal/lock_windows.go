package journal

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

const openFlags = 0

// lock takes f's lock, which ends with its handle. It returns ErrBusy if another process
// has the lock. The locked byte lies far behind the end of the file, so that others can
// read the file.
func lock(f *os.File) error {
	const far = 1 << 30
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, 1, 0, &windows.Overlapped{OffsetHigh: far})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrBusy
	}
	return os.NewSyscallError("LockFileEx", err)
}

// unlock does nothing, because closing f ends the lock.
func unlock(*os.File) error { return nil }

// checkFolder does nothing. The access control list of the folder decides who can write.
func checkFolder(string, os.FileInfo) error { return nil }

// rename gives the file its final name. It closes the file first, because an open file
// cannot be renamed. A process that opens the file before it is locked again finds no
// slot in it.
func rename(root *os.Root, f *os.File, from, to string) (*os.File, error) {
	if err := f.Close(); err != nil {
		return nil, err
	}
	if err := root.Rename(from, to); err != nil {
		return nil, err
	}
	f, err := root.OpenFile(to, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// syncFolder does nothing, because Windows cannot sync a folder.
func syncFolder(*os.Root) error { return nil }
