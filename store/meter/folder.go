package meter

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
)

// The suffix of the names of journals, and a further one for files that are not finished.
const (
	suffix    = ".usage"
	temporary = ".new"
)

var (
	errBusy = errors.New("somebody counts in it")
	errGone = errors.New("is gone")
)

// A folder holds journals.
type folder struct {
	root     *os.Root
	path     string
	unmapped bool
}

// openFolder opens the folder, which it creates if needed.
func openFolder(path string, unmapped bool) (*folder, error) {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
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
	return &folder{root: root, path: path, unmapped: unmapped}, nil
}

// names returns the names of all files in the folder.
func (f *folder) names() ([]string, error) {
	d, err := f.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

// fileName returns the name of a segment's file, made of its day and stream.
func fileName(s *segment) string {
	return fmt.Sprintf("%v-%x%s", s.day, s.stream, suffix)
}

// create makes the file of the segment.
func (f *folder) create(s *segment, size int64) error {
	s.size = size
	file, err := f.prepare(s)
	if err == nil {
		file, err = rename(f.root, file, s.name+temporary, s.name)
	}
	if err != nil {
		f.root.Remove(s.name + temporary)
		return err
	}

	if err := errors.Join(syncFolder(f.root), f.load(s, file)); err != nil {
		return errors.Join(err, f.root.Remove(s.name), unlock(file), file.Close())
	}
	s.file = file
	return nil
}

// prepare makes the file under a temporary name. It locks the file, reserves its final
// size, writes the header, and syncs it.
func (f *folder) prepare(s *segment) (*os.File, error) {
	name := s.name + temporary
	file, err := f.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL|openFlags, 0o600)
	if err != nil {
		return nil, err
	}

	err = lock(file)
	if err == nil {
		// tidy of another process may have removed the file before it was locked.
		_, err = f.linked(file, name)
	}
	if err == nil {
		err = allocate(file, s.size)
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

// load gives the segment its memory, which is the mapped file if that is possible.
func (f *folder) load(s *segment, file *os.File) error {
	s.used = pageSize
	if !f.unmapped && mappable(file) {
		memory, err := mapFile(file, int(s.size))
		if err != nil {
			return err
		}
		s.memory, s.mapped = memory, true
		runtime.AddCleanup(s, unmap, memory)
		return nil
	}
	s.memory, s.written = ordinaryMemory(int(s.size)), make([]byte, s.size)
	copy(s.memory, s.encode())
	copy(s.written, s.memory)
	return nil
}

// linked returns the file's info. It returns errGone if name no longer names the file.
func (f *folder) linked(file *os.File, name string) (os.FileInfo, error) {
	is, err := file.Stat()
	if err != nil {
		return nil, err
	}
	named, err := f.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(is, named) {
		return nil, errGone
	}
	return is, err
}

// adopt opens and locks a file in which nobody counts. It returns errBusy if a process
// counts in it, errGone if the file no longer exists, and errForeign if it is not a
// regular file.
func (f *folder) adopt(name string) (*os.File, error) {
	fi, err := f.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errGone
	case err != nil:
		return nil, err
	case !fi.Mode().IsRegular():
		return nil, errForeign
	}

	file, err := f.root.OpenFile(name, os.O_RDWR|openFlags, 0)
	// A file that cannot be written can perhaps be read, and its counts recorded.
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		file, err = f.root.OpenFile(name, os.O_RDONLY|openFlags, 0)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errGone
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

// read reads a file that adopt has returned.
func read(file *os.File) (*journal, error) {
	first := make([]byte, pageSize)
	n, err := file.ReadAt(first, 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	h, err := decodeHeader(first[:n])
	if err != nil {
		return nil, err
	}

	all := make([]byte, h.size)
	if n, err = file.ReadAt(all, 0); err != nil && err != io.EOF {
		return nil, err
	}
	return decode(all[:n])
}

// remove removes a file that was adopted or belongs to this process.
func (f *folder) remove(name string) error {
	if err := f.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncFolder(f.root)
}

// tidy removes an unfinished file of a process that has ended.
func (f *folder) tidy(name string) {
	if !strings.HasSuffix(name, suffix+temporary) {
		return
	}
	if file, err := f.adopt(name); err == nil {
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
