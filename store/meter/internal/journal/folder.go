package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/authtier/authtier/store"
)

// The suffix of the names of journals, and a further one for files that are not finished.
const (
	suffix    = ".usage"
	temporary = ".new"
)

// The reasons why a file cannot be adopted.
var (
	ErrBusy = errors.New("somebody counts in it")
	ErrGone = errors.New("is gone")
)

// A Folder holds journals. Its methods are safe for concurrent use.
type Folder struct {
	root     *os.Root
	path     string
	unmapped bool
}

// OpenFolder opens the folder, which it creates if needed. Files are not mapped if
// unmapped is set. It returns an error if other users can write to the folder.
func OpenFolder(path string, unmapped bool) (*Folder, error) {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}

	// A Root names the same folder even if its path is renamed or replaced.
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}

	fi, err := root.Stat(".")
	if err == nil {
		err = checkFolder(path, fi)
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return &Folder{root: root, path: path, unmapped: unmapped}, nil
}

// Names returns the names of all files in the folder.
func (f *Folder) Names() ([]string, error) {
	d, err := f.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

// Path returns the path of a file in the folder.
func (f *Folder) Path(name string) string { return filepath.Join(f.path, name) }

// Close closes the folder. Its files stay open.
func (f *Folder) Close() error { return f.root.Close() }

// FileName returns the name of the file of a stream of that day.
func FileName(stream store.Stream, day store.Day) string {
	return fmt.Sprintf("%v-%x%s", day, stream, suffix)
}

// Create makes the file of a stream, with that size. The process that made a file holds
// its lock until [File.Release].
func (f *Folder) Create(stream store.Stream, day store.Day, size int64) (*File, error) {
	s := &File{header: header{Stream: stream, Day: day, Size: size}, name: FileName(stream, day)}
	file, err := f.prepare(s)
	if err == nil {
		file, err = rename(f.root, file, s.name+temporary, s.name)
	}
	if err != nil {
		f.root.Remove(s.name + temporary)
		return nil, err
	}

	// The name must be durable before anybody counts in the file.
	if err := errors.Join(syncFolder(f.root), f.load(s, file)); err != nil {
		return nil, errors.Join(err, f.root.Remove(s.name), unlock(file), file.Close())
	}
	s.file = file
	return s, nil
}

// prepare makes the file under a temporary name. It locks the file, reserves its final
// size, writes the header, and syncs it.
func (f *Folder) prepare(s *File) (*os.File, error) {
	name := s.name + temporary
	file, err := f.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL|openFlags, 0o600)
	if err != nil {
		return nil, err
	}

	err = lock(file)
	if err == nil {
		// Tidy of another process may have removed the file before it was locked.
		_, err = f.linked(file, name)
	}
	if err == nil {
		err = allocate(file, s.Size)
	}
	if err == nil {
		_, err = file.WriteAt(s.encode(), 0)
	}
	if err == nil {
		err = file.Sync()
	}

	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// load gives the file its memory, which is the mapped file if that is possible.
func (f *Folder) load(s *File, file *os.File) error {
	s.used = PageSize
	if !f.unmapped && mappable(file) {
		memory, err := mapFile(file, int(s.Size))
		if err != nil {
			return err
		}
		s.memory, s.mapped = memory, true
		runtime.AddCleanup(s, unmap, memory)
		return nil
	}
	s.memory, s.written = ordinaryMemory(int(s.Size)), make([]byte, s.Size)
	copy(s.memory, s.encode())
	copy(s.written, s.memory)
	return nil
}

// linked returns the file's info. It returns ErrGone if name no longer names the file.
func (f *Folder) linked(file *os.File, name string) (os.FileInfo, error) {
	is, err := file.Stat()
	if err != nil {
		return nil, err
	}
	named, err := f.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(is, named) {
		return nil, ErrGone
	}
	return is, err
}

// Adopt opens and locks a file in which nobody counts. It returns ErrBusy if a process
// counts in it, ErrGone if the file no longer exists, and ErrForeign if it is not a
// regular file.
func (f *Folder) Adopt(name string) (*os.File, error) {
	fi, err := f.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrGone
	case err != nil:
		return nil, err
	case !fi.Mode().IsRegular():
		return nil, ErrForeign
	}

	file, err := f.root.OpenFile(name, os.O_RDWR|openFlags, 0)
	// A file that cannot be written can perhaps be read, and its counts recorded.
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		file, err = f.root.OpenFile(name, os.O_RDONLY|openFlags, 0)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrGone
	} else if err != nil {
		return nil, err
	}

	// Another process may have removed the file before this one had its lock.
	if err = lock(file); err == nil {
		_, err = f.linked(file, name)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// Read reads a file that [Folder.Adopt] has returned.
func Read(file *os.File) (*Content, error) {
	first := make([]byte, PageSize)
	n, err := file.ReadAt(first, 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	h, err := decodeHeader(first[:n])
	if err != nil {
		return nil, err
	}

	// The checked header bounds the memory, not the length of the file.
	all := make([]byte, h.Size)
	if n, err = file.ReadAt(all, 0); err != nil && err != io.EOF {
		return nil, err
	}
	return Decode(all[:n])
}

// Remove removes a file that was adopted or belongs to this process.
func (f *Folder) Remove(name string) error {
	if err := f.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncFolder(f.root)
}

// IsUnfinished reports whether a file has the name of one that a process is making.
func IsUnfinished(name string) bool { return strings.HasSuffix(name, suffix+temporary) }

// Tidy removes an unfinished file of a process that has ended.
func (f *Folder) Tidy(name string) {
	if !IsUnfinished(name) {
		return
	}
	if file, err := f.Adopt(name); err == nil {
		f.root.Remove(name)
		file.Close()
	}
}

// writeZeros gives a file its size, on systems that cannot reserve room otherwise.
func writeZeros(f *os.File, size int64) error {
	zeros := make([]byte, 64<<10)
	for at := int64(0); at < size; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), size-at)], at); err != nil {
			return err
		}
	}
	return f.Sync()
}

// Acknowledge notes in an adopted file that the store knows all of c. If the file cannot
// be written, the next process records it again.
func Acknowledge(file *os.File, c *Content) {
	var sum uint64
	for _, count := range c.Counts {
		sum += uint64(count.Total)
	}
	file.WriteAt(binary.NativeEndian.AppendUint64(nil, sum), ackedAt)
}
