package journal

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// retried calls f again as long as a signal interrupts it.
func retried(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// allocate gives f that size, and reserves room on the disk for all of it.
func allocate(f *os.File, size int64) error {
	err := retried(func() error { return unix.Fallocate(int(f.Fd()), 0, 0, size) })
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return writeZeros(f, size)
	}
	return os.NewSyscallError("fallocate", err)
}

// mappable reports whether a write to a mapped page of f is in the file at once, and never
// needs more room on the disk. That holds for local file systems that write in place.
func mappable(f *os.File) bool {
	var s unix.Statfs_t
	if err := retried(func() error { return unix.Fstatfs(int(f.Fd()), &s) }); err != nil {
		return false
	}
	switch int64(s.Type) {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.TMPFS_MAGIC:
		return true
	}
	return false
}

func mapFile(f *os.File, size int) ([]byte, error) {
	b, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	return b, os.NewSyscallError("mmap", err)
}

func unmap(b []byte) { unix.Munmap(b) }

func syncMapped(b []byte) error {
	return os.NewSyscallError("msync", retried(func() error { return unix.Msync(b, unix.MS_SYNC) }))
}
